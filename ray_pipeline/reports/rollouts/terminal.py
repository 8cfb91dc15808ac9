"""Rollouts as plain text for a terminal.

Trap: what a policy wrote may hold marks that terminals obey (colours, a cleared screen, another window's title) or that turn text around. All that
cannot be printed is shown as an escape.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from statistics import fmean

from ray_pipeline.metrics.tool_calls import Call
from ray_pipeline.reports.rollouts.sample import Sample
from ray_pipeline.reports.rollouts.summary import DrawFigures, cells


def table_text(found: Sequence[DrawFigures]) -> str:
    """A line a draw, its columns aligned."""
    header, rows = cells(found)
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in [header, *rows])


def sample_text(sample: Sample) -> str:
    """One rollout."""
    return "\n".join([f"== {printable(title(sample))}", *(f"   {printable(line)}" for line in facts(sample)), *_told(sample)])


def title(sample: Sample) -> str:
    """Which rollout it is, and what became of it."""
    values = sample.row.values
    worth = "no reward" if values["failed"] is not None else f"reward {values['reward']:.4g}"
    ends = ", cut off" if values["truncated"] else ""
    return f"step {sample.row.step}, prompt {values['prompt_id']}, sample {values['sample']}: {worth}{ends}"


def facts(sample: Sample) -> Iterator[str]:
    """What is known of it beside its text, a line each."""
    values, likelihoods = sample.row.values, sample.likelihoods()
    if values["failed"] is not None:
        yield f"failed: {values['failed']}"
    if sample.parts:
        yield f"parts: {', '.join(f'{name} {value:.4g}' for name, value in sample.parts.items())}"
    if likelihoods:
        least, text = min(likelihoods)
        yield f"log-likelihood: {fmean(value for value, _ in likelihoods):.3f} a token, least {least:.3f} at {text!r}"
    counted = {"turns": values["turns"], "calls": values["calls"], "failed calls": values["failed_calls"]}
    environment = "".join(f", {number:,} {name}" for name, number in counted.items() if number is not None)
    yield f"{len(likelihoods):,} tokens{environment}; weights of version {values['version']:,}, draw {sample.row.draw:,}"


def call_text(call: Call) -> str:
    return f"{call.name}({', '.join(f'{name}={json.dumps(value, ensure_ascii=False)}' for name, value in call.arguments.items())})"


def printable(text: str) -> str:
    """With an escape in place of every character that is not to be seen, but line breaks and tabs."""
    return "".join(one if one in "\n\t" or one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _told(sample: Sample) -> Iterator[str]:
    yield from _block("prompt", sample.prompt_end)
    for number, turn in enumerate(sample.turns):
        if not turn.written:
            yield from _block("told", turn.text)
            continue
        said = sample.said(number)
        if said.thought is not None:
            yield from _block("thought", said.thought)
        yield from _block("answer", said.rest)
        if said.calls is None:
            yield from _block("calls", "cannot be read")
        elif said.calls:
            yield from _block("calls", "\n".join(map(call_text, said.calls)))


def _block(name: str, text: str) -> Iterator[str]:
    """The text behind a margin that says whose it is."""
    for number, line in enumerate(printable(text.strip("\n")).split("\n")):
        yield f"{name if number == 0 else '':>9} | {line}".rstrip()
