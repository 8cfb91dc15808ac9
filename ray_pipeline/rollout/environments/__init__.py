"""Environments: what answers a policy while it acts, and says in the end how well it did."""
