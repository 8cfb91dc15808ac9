"""A client of OpenAI's chat protocol: one reply to a conversation, sent again where the other side was busy or gone.

Waiting doubles from half a second, with a random share against many clients coming back at once; `Retry-After` is kept to. What the other
side sends is checked before anything is read from it.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from ray_pipeline.errors import PipelineError
from ray_pipeline.synthesis.settings import EndpointSettings

_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 30.0
_LARGEST: Final = 16 << 20  # bytes of a reply
_AGAIN: Final = (408, 409, 425, 429)


class EndpointError(PipelineError):
    """The endpoint does not do what is asked of it."""


@dataclass
class Spent:
    """What was sent and received."""

    requests: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def cost(self, settings: EndpointSettings) -> float:
        return (self.prompt_tokens * settings.prompt_price + self.completion_tokens * settings.completion_price) / 1e6


@dataclass
class Endpoint:
    """Asks one endpoint, so many requests at a time. `most_cost`: nothing is asked once more was spent."""

    settings: EndpointSettings
    session: aiohttp.ClientSession
    most_cost: float | None = None
    spent: Spent = field(default_factory=Spent)

    def __post_init__(self) -> None:
        self._free = asyncio.Semaphore(self.settings.concurrency)

    async def reply(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] = (), seed: int = 0) -> dict[str, Any]:
        """The assistant's message."""
        settings = self.settings
        body: dict[str, Any] = {"model": settings.model, "messages": list(messages), "seed": seed}
        body |= {"temperature": settings.temperature, "max_tokens": settings.max_tokens}
        if tools:
            body["tools"] = list(tools)
        for attempt in range(settings.retries + 1):
            async with self._free:
                self._check_cost()
                status, answer, wait = await self._sent(body)
            if status == 200:
                return self._message(answer)
            if status is not None and status not in _AGAIN and status < 500:
                raise EndpointError(f"{settings.url}: answers {status}: {answer[:300]}")
            if attempt < settings.retries:
                self.spent.retries += 1
                await asyncio.sleep(wait if wait is not None else self._wait(attempt))
        told = "does not answer" if status is None else f"still answers {status}"
        raise EndpointError(f"{settings.url}: {told} after {settings.retries + 1} tries: {answer[:300]}")

    async def _sent(self, body: Mapping[str, Any]) -> tuple[int | None, str, float | None]:
        """Status, text, and how long to wait if the other side says so; no status where it could not be reached."""
        key = os.environ.get(self.settings.key_variable)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        limit = aiohttp.ClientTimeout(total=self.settings.timeout_s)
        url = f"{self.settings.url.rstrip('/')}/chat/completions"
        try:
            async with self.session.post(url, json=body, headers=headers, timeout=limit, allow_redirects=False) as answer:
                self.spent.requests += 1
                text = (await answer.content.read(_LARGEST)).decode("utf-8", errors="replace")
                later = answer.headers.get("Retry-After", "")
                return answer.status, text, min(float(later), _LONGEST_WAIT_S) if later.isdigit() else None
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            return None, str(problem) or type(problem).__name__, None

    def _check_cost(self) -> None:
        cost = self.spent.cost(self.settings)
        if self.most_cost is not None and cost > self.most_cost:
            raise EndpointError(
                f"{cost:.4f} was spent on a shard, and {self.most_cost:.4f} were allowed; raise most_cost, or look at what is written"
            )

    def _wait(self, attempt: int) -> float:
        return float(min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2**attempt) * (0.5 + random.random() / 2))

    def _message(self, text: str) -> dict[str, Any]:
        try:
            answer = json.loads(text)
            message = answer["choices"][0]["message"]
        except (ValueError, RecursionError, KeyError, IndexError, TypeError) as problem:
            raise EndpointError(f"{self.settings.url}: its answer is not one of OpenAI's chat protocol: {text[:300]}") from problem
        if not isinstance(message, dict):
            raise EndpointError(f"{self.settings.url}: its answer holds no message: {text[:300]}")
        usage = answer.get("usage") or {}
        for name in ("prompt_tokens", "completion_tokens"):
            value = usage.get(name) if isinstance(usage, dict) else None
            setattr(self.spent, name, getattr(self.spent, name) + (value if isinstance(value, int) and value > 0 else 0))
        return message
