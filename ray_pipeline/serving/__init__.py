"""What a service needs and no cluster: batching of requests, limits, requests and answers in the shapes clients expect."""
