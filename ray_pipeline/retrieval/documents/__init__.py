"""The documents behind an index: their texts and fields by row and by id, and filters over fields."""
