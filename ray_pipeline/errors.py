"""What can go wrong, in words a user can act on.

Every error a user can cause is a `PipelineError`: its message names the input (file:line, key or id) and the remedy.
Anything else that escapes is a defect of this project and keeps its traceback.
"""

from __future__ import annotations


class PipelineError(Exception):
    """An error with a cause the user can name and a remedy the message gives."""


class SettingsError(PipelineError):
    """A setting is unknown, has the wrong type, or clashes with another."""


class DataError(PipelineError):
    """An input file or row is not what its format says."""

    @classmethod
    def at(cls, path: object, line: int | None, problem: str, remedy: str = "") -> DataError:
        """The one way a reader reports a bad row: `file:line: problem. remedy`."""
        place = f"{path}:{line}" if line is not None else f"{path}"
        return cls(f"{place}: {problem}" + (f" ({remedy})" if remedy else ""))


class ArtifactError(PipelineError):
    """An artifact is missing, unpublished, damaged, or not of the kind that was asked for."""


class ModelError(PipelineError):
    """A model cannot be found or loaded, or does not fit what it is asked to do."""


class ShardError(PipelineError):
    """A shard failed on a worker; the message is the worker's own last error."""


class TrainingError(PipelineError):
    """A training run cannot start or cannot go on."""


class SandboxError(PipelineError):
    """Programs cannot be held as the settings ask, or a jail broke."""
