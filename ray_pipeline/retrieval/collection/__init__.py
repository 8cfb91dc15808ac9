"""A collection: what a service searches. Published versions of an index and its documents, and what was added or deleted since."""
