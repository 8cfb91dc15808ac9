"""Generated problems: each family's variants in an order of its own, the families in turn.

What is drawn for a problem comes from a stream of its own, seeded by (seed, family, variant), and expected answers from the family's `answer`: no
program is run. So a problem depends on the seed and its variant alone, no two of one seed ask the same, and fewer problems are a prefix of
more. A call's arguments are small enough to judge answers by; `stressed` ones are large, for timing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.problems.families import FAMILIES
from ray_pipeline.data.problems.families.family import Family, Solution
from ray_pipeline.data.problems.problem import Problem
from ray_pipeline.errors import SettingsError

_SMALL_CALLS: Final = 8


@dataclass(frozen=True)
class GeneratedProblem:
    """A problem with programs that solve it, the slowest first, and programs with a mistake. The last solution is the canonical one."""

    problem: Problem
    family: str
    solutions: tuple[Solution, ...]
    wrong: tuple[str, ...]


def generated_problems(count: int, seed: int = 0, families: Sequence[str] | None = None) -> list[GeneratedProblem]:
    """`count` different problems of some families, or of all."""
    for name in families or ():
        if name not in FAMILIES:
            raise SettingsError(f"families: there is no {name!r}; there are {', '.join(FAMILIES)}")
    chosen = [family for family in FAMILIES.values() if families is None or family.name in families]
    most = sum(len(family.variants) for family in chosen)
    if not 1 <= count <= most:
        raise SettingsError(f"count: must be from 1 to {most}, which is what these families hold, not {count}")
    if seed < 0:
        raise SettingsError(f"seed: must be 0 or more, not {seed}")
    places = _places(chosen, seed)
    return [_made(family, variant, seed, number) for number, (family, variant) in zip(range(count), places, strict=False)]


def _places(families: Sequence[Family], seed: int) -> Iterator[tuple[Family, int]]:
    """All variants of all families, in turn while they last."""
    orders = [Draw(f"problems:{seed}:{one.name}").some(range(len(one.variants)), len(one.variants)) for one in families]
    for turn in range(max(map(len, orders))):
        yield from ((family, order[turn]) for family, order in zip(families, orders, strict=True) if turn < len(order))


def _made(family: Family, place: int, seed: int, number: int) -> GeneratedProblem:
    variant, draw = family.variants[place], Draw(f"problems:{seed}:{family.name}:{place}")
    edges = family.edges(variant)
    calls = (*edges, *(family.small(draw, variant) for _ in range(_SMALL_CALLS)))
    prompt = family.prompt(variant, edges[0])
    solutions = family.programs(variant, prompt)
    problem = Problem(
        task_id=f"generated-{seed}/{number:05d}",
        prompt=prompt,
        entry_point=family.entry_point,
        canonical=solutions[-1].text,
        calls=calls,
        base_calls=len(calls),
        expected=tuple(family.answer(variant, *call) for call in calls),
        tests=None,
        stressed=tuple(family.large(draw, variant, size) for size in family.sizes),
    )
    return GeneratedProblem(problem, family.name, solutions, family.wrong_programs(variant, prompt))
