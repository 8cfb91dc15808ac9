"""The jobs: one file each, run as `python -m jobs.<name> key=value ...`."""
