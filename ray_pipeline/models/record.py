"""`ray_pipeline.json`, which a trained model carries in its folder: what it is, how to use it, what it was made from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, Literal

from ray_pipeline.errors import ModelError

RECORD: Final = "ray_pipeline.json"
FORMAT: Final = 1
Role = Literal["embedder", "reranker", "policy"]
_ARTICLE: Final[dict[Role, str]] = {"embedder": "an embedder", "reranker": "a reranker", "policy": "a policy"}


def read_record(folder: Path, role: Role | None) -> dict[str, Any] | None:
    """All that the record says; nothing where there is none, an error where it is of another kind of model (none: of any)."""
    file = folder / RECORD
    if not file.exists():
        return None
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise ModelError(f"{file}: not valid JSON ({problem}); the file is damaged, export the model again") from problem
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ModelError(f"{file}: this version reads format {FORMAT}; export the model again")
    was = role_of(found)
    if role is not None and was != role:
        raise ModelError(f"{folder}: is {_ARTICLE[was]}, and {_ARTICLE[role]} is needed here")
    return found


def role_of(record: dict[str, Any]) -> Role:
    """What the model is. Records of the first days said nothing: there were only embedders."""
    return next((role for role in _ARTICLE if record.get("role") == role), "embedder")
