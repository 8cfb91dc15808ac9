"""Conversations read and written in the formats they come in; a format is one file and one line in `formats.py`."""
