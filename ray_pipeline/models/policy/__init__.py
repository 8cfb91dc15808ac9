"""A policy: a decoder that is asked how likely tokens are, trained on conversations, and generates them."""
