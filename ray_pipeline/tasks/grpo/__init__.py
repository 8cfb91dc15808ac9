"""Reinforcement learning: a policy learns from what its own rollouts were worth."""
