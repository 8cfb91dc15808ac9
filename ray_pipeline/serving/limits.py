"""What one request may ask for, and how much may wait. Every limit is a setting, and `/info` shows them all."""

from __future__ import annotations

from collections.abc import Sequence

from ray_pipeline.config import Settings, placement
from ray_pipeline.serving.request_error import RequestError


class Limits(Settings):
    """Beyond a limit a request is refused before anything is computed for it."""

    max_body_mb: float = placement(8.0, "a request's body at most, in MB: 413", gt=0)
    max_items: int = placement(2048, "texts, documents or queries a request at most: 422", ge=1)
    max_characters: int = placement(1_000_000, "characters of one text at most: 422", ge=1)
    max_tokens: int = placement(300_000, "tokens a request at most, as the model reads them: 422", ge=1)
    max_waiting_tokens: int = placement(600_000, "tokens that may wait for a model; what comes then is sent away: 429", ge=1)
    max_requests: int = placement(512, "requests in work at a time; what comes then is sent away: 429", ge=1)
    timeout_s: float = placement(60.0, "a request that takes longer is given up: 504", gt=0)

    def check_items(self, texts: Sequence[object], where: str) -> None:
        """Refuses too many items, and too long ones."""
        if len(texts) > self.max_items:
            raise RequestError("invalid_request", f"{where}: {len(texts):,} items, and {self.max_items:,} are the most (max_items)", where)
        long = next((row for row, text in enumerate(texts) if isinstance(text, str | list) and len(text) > self.max_characters), None)
        if long is not None:
            raise RequestError("invalid_request", f"{where}.{long}: longer than {self.max_characters:,} (max_characters)", f"{where}.{long}")

    def check_pairs(self, queries: int, documents: int) -> None:
        """Refuses a search that would rerank more than one request may."""
        if queries * documents > self.max_items:
            raise RequestError(
                "invalid_request",
                f"rerank_top_n: {queries:,} queries x {documents:,} documents, and {self.max_items:,} pairs are the most (max_items)",
                "rerank_top_n",
            )

    def check_tokens(self, tokens: int, where: str) -> None:
        if tokens > self.max_tokens:
            raise RequestError("invalid_request", f"{where}: {tokens:,} tokens, and {self.max_tokens:,} are the most (max_tokens)", where)

    def check_size(self, size: int) -> None:
        if size > self.max_body_mb * 1e6:
            raise RequestError("too_large", f"the body is larger than {self.max_body_mb:g} MB (max_body_mb)")
