"""Preference optimisation: a policy learns which of two answers is better."""
