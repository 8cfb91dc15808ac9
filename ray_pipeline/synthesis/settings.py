"""Which endpoint writes, and what."""

from __future__ import annotations

from ray_pipeline.config import Settings, identity, placement


class EndpointSettings(Settings):
    """An endpoint that speaks OpenAI's chat protocol. Its key is read from the environment and written nowhere."""

    url: str = placement(..., "where it is, as clients name it, e.g. http://127.0.0.1:8000/v1")
    model: str = identity(..., "the model's name there")
    key_variable: str = placement("OPENAI_API_KEY", "the environment variable that holds the key; one that is not set sends none")
    temperature: float = identity(0.8, "of everything that is asked", ge=0)
    max_tokens: int = identity(1024, "tokens of one reply at most", ge=1)
    concurrency: int = placement(8, "requests of one worker at a time", ge=1)
    timeout_s: float = placement(120.0, "seconds for one reply", gt=0)
    retries: int = placement(5, "how often a request is sent again after 429, 5xx or no answer, each time later", ge=0)
    prompt_price: float = placement(0.0, "price of a million tokens sent", ge=0)
    completion_price: float = placement(0.0, "price of a million tokens received", ge=0)


class DialogueSettings(Settings):
    """What a conversation is made of."""

    least_tools: int = identity(1, "tools that a conversation offers at least", ge=1)
    most_tools: int = identity(4, "and at most", ge=1)
    turns: int = identity(2, "requests of the user at most", ge=1)
    most_steps: int = identity(6, "replies to one request at most, calls and answers; a conversation that needs more is left out", ge=1)
    language: str = identity("English", "what the user speaks", min_length=1)
