"""What a job would do, without doing it: which stages are there, which would be computed, and why.

A stage's name is known only when its inputs are, so behind the first stage that is not there nothing more can be said: it
waits. Why a stage is not there is read off the existing artifact of that stage that is most like it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ray_pipeline.artifacts import MANIFEST, Artifact, Attempt, Workspace, load
from ray_pipeline.pipelines.stage import Done, Outcome, Run, Stage, T

_SHOWN: Final = 6  # differing settings in one line
_ABSENT: Final = "nothing"


class NotThereError(Exception):
    """A stage would have to be computed; the dry run has noted it."""


@dataclass
class DryRun(Run):
    """Looks and notes, computes and writes nothing."""

    lines: list[str] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)  # fingerprint -> stage
    waiting: int = 0

    def ensure(self, stage: Stage, build: Callable[[Attempt, Mapping[int, Mapping[str, Any]]], Outcome]) -> Artifact:
        name = stage.fingerprint()
        found = self.workspace.find(stage.name, name)
        if any(one.artifact.fingerprint == name for one in self.done) and found is not None:
            return found
        if found is None and name in self.absent:
            self.waits(f"for {stage.name} {name[:12]}, see above")
            raise NotThereError
        if found is None:
            self.absent[name] = stage.name
            self.lines.append(f"  {'to do':<6} {stage.name:<14} {name[:12]}  {reason(self.workspace, stage)}")
            raise NotThereError
        if self.force:
            self.absent[name] = stage.name
            self.lines.append(f"  {'to do':<6} {stage.name:<14} {name[:12]}  force=true computes again what is there")
        else:
            self.lines.append(f"  {'done':<6} {stage.name:<14} {name[:12]}  {found.location.uri}")
        self.done.append(Done(stage.name, "already done", 0.0, found))
        return found

    def act(self, what: str, do: Callable[[], T]) -> T | None:
        self.lines.append(f"  {'to do':<6} {what}")
        return None

    def say(self, line: str) -> None:
        """A heading."""
        self.lines.append(line)

    def waits(self, what: str) -> None:
        """Something that cannot be told yet."""
        self.waiting += 1
        self.lines.append(f"  {'waits':<6} {what}")

    def text(self) -> str:
        """All that was noted."""
        end = "there is something to do" if self.absent or self.waiting else "every stage is there"
        return "\n".join([*self.lines, f"dry run: nothing was computed or written; {end}"])


def reason(workspace: Workspace, stage: Stage) -> str:
    """Why the stage's artifact is not there."""
    place = workspace.place(stage.name, stage.fingerprint())
    if (place / "attempts").exists():
        return "begun, not finished: it goes on from what is there"
    others = [load(one.uri, stage.name) for one in (workspace.root / stage.name).children() if (one / MANIFEST).exists()]
    if not others:
        return "never computed"
    nearest = min(others, key=lambda other: (len(_differences(stage, other)), other.fingerprint))
    found = _differences(stage, nearest)
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"changed since {nearest.fingerprint[:12]}: {', '.join(found[:_SHOWN])}{more}"


def _differences(stage: Stage, other: Artifact) -> list[str]:
    """Each setting and input that differs, as `key: before -> now`."""
    before, now = (_flat(values) for values in (other.manifest["identity"], stage.identity()))
    keys = [key for key in dict.fromkeys([*now, *before]) if now.get(key, _ABSENT) != before.get(key, _ABSENT)]
    found = [f"{key}: {_shown(before.get(key, _ABSENT))} -> {_shown(now.get(key, _ABSENT))}" for key in keys]
    given = {name: entry.fingerprint for name, entry in stage.inputs.items()}
    had = {name: entry["fingerprint"] for name, entry in other.manifest["inputs"].items()}
    other_inputs = (name for name in dict.fromkeys([*given, *had]) if given.get(name) != had.get(name))
    found += [f"{'other' if name in given and name in had else 'new' if name in given else 'no'} {name}" for name in other_inputs]
    if stage.algorithm != other.manifest["algorithm"]:
        found.append(f"algorithm: {other.manifest['algorithm']} -> {stage.algorithm}")
    return found


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _shown(value: Any) -> str:
    text = value if value is _ABSENT else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}..."
