"""Checkpoints: all that a run needs to go on as if it had never stopped.

    <artifact>/attempts/<attempt>/
        history/000000.jsonl       the rows of the record, a file a block of so many; written once
        checkpoints/step-00000120/
            model.safetensors      the trained parameters
            optimizer.safetensors  Adam's averages
            random.safetensors     the state of every generator of every rank
            history.jsonl          the rows behind the last full block
            state.json             written last: step, place in the data, best so far, the files above with their hashes

The checkpoint exists when `state.json` does, and it is whole when that lists the optimizer. A new attempt goes on from the
newest whole one of any attempt at the same artifact: same artifact means same settings, data and model. Weights of the best
step (and of every epoch, if asked) are kept without the rest. A run that was told to start anew reads its own attempt only.

Traps. `state.json` is what changes first, when a checkpoint is deleted or cut down, so that a kill in between leaves rubbish,
not a lie.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes
from torch import Tensor

from ray_pipeline.artifacts import File, write_file
from ray_pipeline.errors import ArtifactError
from ray_pipeline.storage import Location
from ray_pipeline.training.history import Row, from_lines, to_lines

_STATE, _HISTORY, _WEIGHTS, _WHOLE = "state.json", "history.jsonl", "model.safetensors", "optimizer.safetensors"
BLOCK: Final = 1024  # rows of the history in a file of their own


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint that was written to its end."""

    location: Location
    state: Mapping[str, Any]

    @property
    def step(self) -> int:
        return int(self.state["step"])

    def weights(self) -> Location:
        """The file with what was trained."""
        return self.location / _WEIGHTS

    def whole(self) -> bool:
        """Whether a run can go on from it."""
        return _WHOLE in self.state["files"]

    def tensors(self, part: str) -> dict[str, Tensor]:
        """One of the files: "model", "optimizer" or "random"."""
        return from_bytes(self.read(f"{part}.safetensors"))

    def read(self, name: str) -> bytes:
        """One of the files, if it still is what was written."""
        return _intact(self.location / name, self.state["files"][name], f"delete {self.location.uri}")

    def cut_to_weights(self) -> None:
        """Delete what only a continuation needs."""
        if self.whole():
            files = self.state["files"]
            (self.location / _STATE).write_json({**self.state, "files": {_WEIGHTS: files[_WEIGHTS]}})
            for name in files:
                if name != _WEIGHTS:
                    (self.location / name).delete()

    def delete(self) -> None:
        (self.location / _STATE).delete()
        self.location.delete()


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one artifact: reads those of all attempts, writes under its own."""

    artifact: Location
    prefix: str  # attempts/<attempt>
    anew: bool = False  # what other attempts left does not count

    def save(
        self, state: Mapping[str, Any], tensors: Mapping[str, Mapping[str, Tensor]], history: Sequence[Row], blocks: Sequence[File]
    ) -> Checkpoint:
        """Write one; a failure leaves nothing behind."""
        place = self.artifact / f"{self.prefix}/checkpoints/step-{state['step']:08d}"
        hashes = {}
        try:
            for name, data in _files(tensors, history[len(blocks) * BLOCK :]):
                (place / name).write(data)
                hashes[name] = hashlib.sha256(data).hexdigest()
            written = {**state, "blocks": [vars(block) for block in blocks], "files": hashes}
            (place / _STATE).write_json(written)
        except ArtifactError:
            if place.exists():
                place.delete()
            raise
        return Checkpoint(place, written)

    def append_history(self, blocks: Sequence[File], history: Sequence[Row]) -> list[File]:
        """The blocks that hold the history but for its last rows; those that are not among `blocks` yet are written."""
        found = list(blocks)
        for number in range(len(found), len(history) // BLOCK):
            rows = history[number * BLOCK : (number + 1) * BLOCK]
            found.append(write_file(self.artifact, f"{self.prefix}/history/{number:06d}.jsonl", to_lines(rows).encode(), BLOCK))
        return found

    def history(self, checkpoint: Checkpoint) -> tuple[list[File], list[dict[str, Any]]]:
        """The history as it was at a checkpoint, and the blocks it lies in."""
        blocks = [File(**block) for block in checkpoint.state["blocks"]]
        rows: list[dict[str, Any]] = []
        for block in blocks:
            place = self.artifact / block.path
            rows += from_lines(_intact(place, block.sha256, f"delete {self.artifact.uri} and start again").decode(), place.uri)
        return blocks, rows + from_lines(checkpoint.read(_HISTORY).decode(), checkpoint.location.uri)

    def all(self) -> dict[int, Checkpoint]:
        """By step; where two attempts wrote the same step, one from which a run can go on."""
        found: dict[int, Checkpoint] = {}
        for checkpoint in self._scan():
            if checkpoint.step not in found or checkpoint.whole():
                found[checkpoint.step] = checkpoint
        return dict(sorted(found.items()))

    def newest(self) -> Checkpoint | None:
        """The one to go on from."""
        return next((checkpoint for checkpoint in reversed(self.all().values()) if checkpoint.whole()), None)

    def thin_out(self, last: int, wanted: set[int]) -> None:
        """Keep the last `last` whole and the weights of the wanted steps; the rest goes."""
        found = self.all()
        whole = [step for step, checkpoint in found.items() if checkpoint.whole()][-last:] if last else []
        for checkpoint in self._scan():
            if checkpoint.location == found[checkpoint.step].location and checkpoint.step in whole:
                continue
            if checkpoint.location == found[checkpoint.step].location and checkpoint.step in wanted:
                checkpoint.cut_to_weights()
            else:
                checkpoint.delete()

    def cut_to_weights(self) -> None:
        """The run is over and published: weights stay, what only a continuation needs goes."""
        for checkpoint in self._scan():
            checkpoint.cut_to_weights()

    def _scan(self) -> Iterator[Checkpoint]:
        attempts = [self.artifact / self.prefix] if self.anew else (self.artifact / "attempts").children()
        for attempt in attempts:
            for place in (attempt / "checkpoints").children():
                if (place / _STATE).exists():
                    yield Checkpoint(place, (place / _STATE).read_json())


def _files(tensors: Mapping[str, Mapping[str, Tensor]], rows: Sequence[Row]) -> Iterator[tuple[str, bytes]]:
    """Name and bytes, one after the other: they need not be in memory together."""
    for part, one in tensors.items():
        yield f"{part}.safetensors", to_bytes(dict(one))
    yield _HISTORY, to_lines(rows).encode()


def _intact(place: Location, sha256: str, remedy: str) -> bytes:
    if not place.exists():
        raise ArtifactError(f"{place.uri}: missing; {remedy}, and the run goes on from what is left")
    data = place.read()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ArtifactError(f"{place.uri}: changed since it was written; {remedy}, and the run goes on from what is left")
    return data
