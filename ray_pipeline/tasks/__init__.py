"""What is trained: a task gives the training loop its model, its gradients and its evaluation."""
