"""The Berkeley Function Calling Leaderboard, version 4, as tasks: what the package `bfcl-eval` brings, read without importing it."""
