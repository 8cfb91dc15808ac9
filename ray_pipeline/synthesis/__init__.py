"""Conversations that models write, over any endpoint that speaks OpenAI's chat protocol: a local vLLM, or somebody's service."""
