"""Bearer keys: who may read, who may change.

Keys come from the environment or a file, never from a command line that others can see. They are held as digests and compared in
constant time, each with all. Without keys nobody is let in, unless that is what the settings say and only this machine can call.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from ray_pipeline.config import Settings, placement
from ray_pipeline.errors import SettingsError
from ray_pipeline.serving.request_error import RequestError

Right = Literal["read", "change"]
READ_KEYS: Final = "RAY_PIPELINE_READ_KEYS"
CHANGE_KEYS: Final = "RAY_PIPELINE_CHANGE_KEYS"
_SHORTEST: Final = 16
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


class KeySettings(Settings):
    """Who may call."""

    mode: Literal["keys", "open"] = placement("keys", "keys: a bearer key is needed for all but /health; open: none, on the loopback address only")
    file: str | None = placement(None, f"a file with lines `read KEY` and `change KEY`; null: {READ_KEYS} and {CHANGE_KEYS}, separated by commas")


class Keys:
    """The keys there are, as digests."""

    def __init__(self, read: list[str], change: list[str], *, open_to_all: bool = False) -> None:
        short = [key for key in (*read, *change) if len(key) < _SHORTEST]
        if short:
            raise SettingsError(f"keys: {len(short)} of them are shorter than {_SHORTEST} characters; make them with `openssl rand -hex 24`")
        self._read, self._change = [_digest(key) for key in read], [_digest(key) for key in change]
        self.open_to_all = open_to_all

    @classmethod
    def of(cls, settings: KeySettings, host: str, environment: Mapping[str, str] = os.environ) -> Keys:
        """The keys that the settings name; refuses an open service that others can reach, and a closed one without keys."""
        if settings.mode == "open":
            if host not in _LOOPBACK:
                raise SettingsError(f"keys.mode=open with host={host}: a service without keys listens on 127.0.0.1 only; set keys, or the host")
            return cls([], [], open_to_all=True)
        read, change = known_keys(settings, environment)
        if not read and not change:
            raise SettingsError(f"keys: there are none; set {READ_KEYS} (and {CHANGE_KEYS}), keys.file, or keys.mode=open on this machine alone")
        return cls(read, change)

    def check(self, header: str | None, right: Right) -> None:
        """Refuses a request whose Authorization header does not give this right. Whoever may change may read."""
        if self.open_to_all:
            return
        kind, _, key = (header or "").partition(" ")
        if kind.lower() != "bearer" or not key.strip():
            raise RequestError("not_authorised", "a key is needed: Authorization: Bearer KEY")
        given = _digest(key.strip())
        may_change = _among(given, self._change)
        may_read = _among(given, self._read) or may_change
        if not may_read:
            raise RequestError("not_authorised", "this key is not known here")
        if right == "change" and not may_change:
            raise RequestError("forbidden", "this key may read; changing documents needs another")


def known_keys(settings: KeySettings, environment: Mapping[str, str] = os.environ) -> tuple[list[str], list[str]]:
    """The keys that may read and those that may change, from the file or the environment."""
    if settings.file is not None:
        return _from_file(Path(settings.file))
    read, change = ([key.strip() for key in environment.get(name, "").split(",") if key.strip()] for name in (READ_KEYS, CHANGE_KEYS))
    return read, change


def _from_file(path: Path) -> tuple[list[str], list[str]]:
    if not path.is_file():
        raise SettingsError(f"keys.file={path}: there is no such file")
    found: dict[str, list[str]] = {"read": [], "change": []}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        kind, _, key = line.strip().partition(" ")
        if not kind or kind.startswith("#"):
            continue
        if kind not in found or not key.strip():
            raise SettingsError(f"{path}:{number}: a line is `read KEY` or `change KEY`")
        found[kind].append(key.strip())
    return found["read"], found["change"]


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _among(given: bytes, known: list[bytes]) -> bool:
    """All are compared, so that time tells nothing of where a match stands."""
    found = False
    for one in known:
        found |= hmac.compare_digest(given, one)
    return found
