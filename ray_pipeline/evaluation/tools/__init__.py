"""How well a policy calls tools: BFCL's entries answered in several runs, and what the runs say together."""
