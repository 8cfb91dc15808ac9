"""Measurements for one GPU that need torch, transformers, numpy and this package alone: random weights, random token ids, no downloads.

They run on a bare GPU machine from a checkout: `python -m benchmarks.gpu.encode`, `python -m benchmarks.gpu.gradcache_step`. With `--smoke`
they run anywhere in seconds, at sizes whose figures mean nothing.
"""
