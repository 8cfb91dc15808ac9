"""Tasks: what a policy is asked to do in an environment, and what the environment needs to know of it."""
