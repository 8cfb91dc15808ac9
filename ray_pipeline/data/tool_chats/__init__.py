"""Generated conversations with tool calls: requests, the tools that are offered, the calls that answer, results.

A domain is one file in `domains/` and one line in its registry.
"""
