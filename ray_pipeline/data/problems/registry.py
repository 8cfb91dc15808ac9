"""The formats that problems are read from. A new format is one file with a `read_*` function and one line here."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Final

from ray_pipeline.data.problems.code_optimise import read_code_optimise
from ray_pipeline.data.problems.evalplus import read_evalplus
from ray_pipeline.data.problems.generated_file import read_generated_problems
from ray_pipeline.data.problems.humaneval import read_humaneval
from ray_pipeline.data.problems.mbpp import read_mbpp
from ray_pipeline.data.problems.problem import Problem
from ray_pipeline.errors import DataError

READERS: Final[dict[str, Callable[[str], list[Problem]]]] = {
    "code_optimise": read_code_optimise,
    "evalplus": read_evalplus,
    "generated": read_generated_problems,
    "humaneval": read_humaneval,
    "mbpp": read_mbpp,
}


def read_problems(format_name: str, path: str) -> list[Problem]:
    """The problems in the file `path`, read as `format_name`."""
    if format_name not in READERS:
        near = difflib.get_close_matches(format_name, READERS, n=1)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        raise DataError(f"there is no format of problems {format_name!r}{meant}; the formats are {', '.join(READERS)}")
    return READERS[format_name](path)
