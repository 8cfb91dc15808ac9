"""Judging programs: which are right, and how fast they are."""
