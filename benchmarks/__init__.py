"""Measured claims: `python -m benchmarks.<name>` prints a table, then one line of JSON that holds the `ratio`."""
