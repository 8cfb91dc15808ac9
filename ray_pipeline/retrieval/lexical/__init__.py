"""Retrieval by words: inverted lists and BM25 over them."""
