"""Stage `code_pairs`: what a model is trained on to write programs that are right and fast: preferences and answers to imitate.

preferences/NAME.jsonl   pairs of a strategy: prompt, chosen, rejected, as `preferences.sets.NAME.path` reads them
imitate/NAME.jsonl       conversations, as `chats=files chats.path` reads them
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, Final, Literal

import pyarrow as pa

from ray_pipeline.artifacts import Artifact, Attempt
from ray_pipeline.config import Settings, identity, section
from ray_pipeline.data.chats.formats import write_chats
from ray_pipeline.data.pairs.imitation import imitation_set
from ray_pipeline.data.pairs.make import PairSet, make_pairs
from ray_pipeline.data.pairs.settings import ImitationSettings, PairSettings
from ray_pipeline.data.pairs.solution import Solution
from ray_pipeline.data.pairs.table import imitation_table, preference_table
from ray_pipeline.data.preferences.write import write_preferences
from ray_pipeline.data.problems.problem import Problem
from ray_pipeline.data.rows import Rows
from ray_pipeline.errors import DataError
from ray_pipeline.pipelines.problems import problems_of
from ray_pipeline.pipelines.stage import Outcome, Run, Stage

ALGORITHM: Final = 1
PREFERENCES, IMITATE = "preferences/", "imitate/"
Answer = Literal["whole", "continuation"]


class MakePairsSettings(Settings):
    """What is made of judged, timed programs."""

    answer: Answer = identity("whole", "whole: the program is the answer; continuation: what follows the prompt in it, for models that continue")
    sets: dict[str, PairSettings] = section({"pvf": PairSettings()}, "sets of preferences by their names, a strategy each")
    imitate: dict[str, ImitationSettings] = section({"fastest_share": ImitationSettings()}, "sets of answers to imitate by their names")

    def require_tests(self, given: bool, by: str) -> None:
        """Refuse, before anything is done, a strategy that needs tests which a model wrote, where `by` gives none."""
        for name, one in self.sets.items():
            if one.strategy == "codedpo" and not given:
                raise ValueError(f"pairs.sets.{name}.strategy=codedpo needs tests that a model wrote; give {by}")


def pair_programs(
    run: Run, problems: Artifact, verdicts: Artifact, timings: Artifact, settings: MakePairsSettings, outcomes: Artifact | None = None
) -> Artifact:
    """Pairs and answers of all problems; `outcomes` of tests that a model wrote are for codedpo."""
    inputs = {"problems": problems.as_input(), "verdicts": verdicts.as_input(), "timings": timings.as_input()}
    if outcomes is not None:
        inputs["outcomes"] = outcomes.as_input()
        if outcomes.manifest["inputs"]["solutions"] != verdicts.manifest["inputs"]["solutions"]:
            raise DataError(f"{outcomes.location.uri}: other programs were run on the written tests than were judged; run the judged ones on them")
    stage = Stage("code_pairs", ALGORITHM, {"pairs": settings}, inputs)

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        solutions, left_out = _answers(_solutions(problems_of(problems), verdicts, timings), settings.answer)
        if not solutions:
            raise DataError("no program begins with its problem's prompt, so none continues it; set pairs.answer=whole")
        counts: dict[str, Any] = {"solutions": len(solutions), "no_continuation": left_out}
        for name, one in settings.sets.items():
            made, untested = _paired(solutions, one, outcomes)
            counts[f"{PREFERENCES}{name}"] = {**asdict(made.report), **untested}
            if made.pairs:
                _write(attempt, f"{PREFERENCES}{name}.jsonl", preference_table(made.pairs, name), write_preferences)
        for name, kept in settings.imitate.items():
            found = imitation_set(solutions, kept)
            answers = {"answers": len(found.solutions), "problems": found.problems, "without": found.without, "untimed": found.untimed}
            counts[f"{IMITATE}{name}"] = answers
            if found.solutions:
                table = imitation_table(found.solutions)
                _write(attempt, f"{IMITATE}{name}.jsonl", table, lambda chats, path: write_chats(chats, path, "openai"))
        return Outcome(len(solutions), counts)

    return run.ensure(stage, build)


def _write(attempt: Attempt, name: str, table: pa.Table, write: Any) -> None:
    write(table, attempt.reserve(name).uri)
    attempt.add(name, len(table))


def _solutions(problems: list[Problem], verdicts: Artifact, timings: Artifact) -> list[Solution]:
    """Verdicts and times of each program, side by side."""
    prompts = {one.task_id: one.prompt for one in problems}
    columns = ["task_id", "sample", "reason", "seconds", "spread"]
    times = {(row["task_id"], row["sample"]): row for row in Rows.of(timings, "timings/").table(columns).to_pylist()}
    found = []
    for row in Rows.of(verdicts, "verdicts/").table(["task_id", "sample", "text", "passed", "reason"]).to_pylist():
        timed = times.get((row["task_id"], row["sample"]), {})
        # What passed on small inputs and not on the large ones it is timed by is not right.
        passed = row["passed"] and timed.get("reason") != "wrong"
        reason = "" if passed else timed.get("reason", row["reason"])
        text, prompt = row["text"], prompts[row["task_id"]]
        found.append(Solution(row["task_id"], prompt, text, passed, reason, timed.get("seconds"), timed.get("spread"), row["sample"]))
    return found


def _paired(solutions: list[Solution], settings: PairSettings, outcomes: Artifact | None) -> tuple[PairSet, dict[str, int]]:
    """The pairs of a strategy, and for codedpo how many problems had no test to score their programs by."""
    if settings.strategy != "codedpo" or outcomes is None:
        return make_pairs(solutions, settings), {}
    known = {(one.task_id, one.sample) for one in solutions}
    passes: dict[str, dict[int, list[bool]]] = {}
    for row in Rows.of(outcomes, "outcomes/").table(["task_id", "sample", "passes"]).to_pylist():
        if row["passes"] and (row["task_id"], row["sample"]) in known:
            passes.setdefault(row["task_id"], {})[row["sample"]] = row["passes"]
    tested = [one for one in solutions if one.task_id in passes]
    return make_pairs(tested, settings, passes), {"untested": len({one.task_id for one in solutions}) - len(passes)}


def _answers(solutions: list[Solution], answer: Answer) -> tuple[list[Solution], int]:
    """The solutions as a model is to answer them, and how many could not be put so."""
    if answer == "whole":
        return solutions, 0
    continuing = [replace(one, text=one.text[len(one.prompt) :]) for one in solutions if one.text.startswith(one.prompt)]
    return continuing, len(solutions) - len(continuing)


def pairs_file(pairs: Artifact, part: str, name: str) -> str:
    """Where a set of preferences or of answers lies."""
    known = [one.removeprefix(part) for one in pairs.metrics if one.startswith(part)]
    if name not in known:
        raise DataError(f"{pairs.location.uri}: has no {part}{name}; it has {', '.join(known) or 'none'}")
    counts = pairs.metrics[f"{part}{name}"]
    if not counts.get("pairs", counts.get("answers")):
        raise DataError(f"{pairs.location.uri}: {part}{name} is empty ({_why_none(counts)}); draw more programs, or train on another set")
    return pairs.file(f"{part}{name}.jsonl").uri


def _why_none(counts: Mapping[str, Any]) -> str:
    return ", ".join(f"{why} {count}" for why, count in counts.get("missing", {}).items()) or "nothing passed"


def pairs_summary(pairs: Artifact) -> str:
    """A line a set: how many, and why not more."""
    lines = []
    for file in pairs.manifest["files"]:
        counts = pairs.metrics[file["name"].removesuffix(".jsonl")]
        more = f", {counts['problems_without']} of {counts['problems']} problems gave none" if "problems_without" in counts else ""
        lines.append(f"{counts.get('pairs', counts.get('answers')):,} in {pairs.location.uri}/{file['file']['path']}{more}")
    empty = [name for name, counts in pairs.metrics.items() if isinstance(counts, dict) and not counts.get("pairs", counts.get("answers"))]
    return "\n".join([*lines, *(f"none in {name}: {_why_none(pairs.metrics[name])}" for name in empty)])
