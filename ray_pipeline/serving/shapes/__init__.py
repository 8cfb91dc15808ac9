"""Requests and answers as their clients spell them: ours, OpenAI's, Cohere's, Jina's, text-embeddings-inference's.

A shape turns a request into one of the three tasks of `tasks.py` and what was found into an answer. It computes nothing.
"""
