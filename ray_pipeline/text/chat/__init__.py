"""Conversations, and how a model's template turns them into tokens."""
