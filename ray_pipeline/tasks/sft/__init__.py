"""Supervised fine-tuning: a policy learns the replies of conversations."""
