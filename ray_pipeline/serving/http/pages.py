"""The pages a person sees: plain files of this package, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from ray_pipeline.serving.http.endpoint import Answer

_FOLDER: Final = Path(__file__).parent / "assets"
_TYPES: Final = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
_ALLOWED: Final = {"Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"}


def asset(name: str) -> Callable[[Any], Awaitable[Answer]]:
    """An endpoint's act: the file, read once."""
    path = _FOLDER / name
    answer = Answer(path.read_bytes(), _TYPES[path.suffix], headers=_ALLOWED)

    async def act(_: Any) -> Answer:
        return answer

    return act
