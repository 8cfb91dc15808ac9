"""Stretches of a text in which brackets are balanced."""

from __future__ import annotations

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.problems.families.family import Family, Solution, Variant
from ray_pipeline.data.problems.problem import Arguments


def _balanced(variant: Variant, text: str) -> int:
    steps = [(letter == variant["open"]) - (letter == variant["close"]) for letter in text]
    found = 0
    for first in range(len(steps)):
        depth = 0
        for last, step in enumerate(steps[first:], start=1):
            depth += step
            if depth < 0:
                break
            found += depth == 0 and last >= variant["least"]
    return found


def _balanced_edges(variant: Variant) -> tuple[Arguments, ...]:
    opened, closed, least = variant["open"], variant["close"], variant["least"]
    return (
        (opened + "x" * least + closed,),
        ("x" * least,),  # just long enough
        (closed + opened + "x" * least,),  # as many of each, in the wrong order
        ((opened + closed) * least + closed,),
        ("([{<x>}])" * 3,),
        ("",),
    )


def _balanced_small(draw: Draw, variant: Variant) -> Arguments:
    letters = (variant["open"], variant["close"], "x", "([{<"[draw.whole(0, 3)], ")]}>"[draw.whole(0, 3)])
    return ("".join(draw.pick(letters) for _ in range(variant["least"] + draw.whole(2, 14))),)


def _balanced_large(draw: Draw, variant: Variant, size: int) -> Arguments:
    pair = variant["open"] + variant["close"]
    return ("".join(draw.pick((pair, "x", "yz", pair + "z", "x")) for _ in range(size)),)


BALANCED = Family(
    name="balanced",
    variants=tuple({"open": one, "close": other, "least": least} for least in range(2, 20) for one, other in ("()", "[]", "{}", "<>")),
    signature="def count_balanced(text: str) -> int:",
    task="""
        Count the stretches of at least $least neighbouring characters in which the brackets $open and $close are balanced:
        every $close closes a $open before it in the stretch, and none stays open. Any other character, other brackets too,
        may stand anywhere. Equal stretches at different places count separately.""",
    solutions=(
        Solution("every begin", "n^2", """
            found = 0
            for i in range(len(text)):
                depth = 0
                for j in range(i, len(text)):
                    if text[j] == "$open":
                        depth += 1
                    elif text[j] == "$close":
                        depth -= 1
                    if depth < 0:
                        break
                    if depth == 0 and j - i + 1 >= $least:
                        found += 1
            return found
            """),
        Solution("begins of each depth, passed once", "n", """
            levels = [([0], [0])]
            found = 0
            for end, letter in enumerate(text, start=1):
                if letter == "$open":
                    levels.append(([end], [0]))
                    continue
                if letter == "$close":
                    levels.pop()
                    if not levels:
                        levels = [([end], [0])]
                        continue
                begins, passed = levels[-1]
                while passed[0] < len(begins) and begins[passed[0]] <= end - $least:
                    passed[0] += 1
                found += passed[0]
                begins.append(end)
            return found
            """),
        Solution("begins of each depth, bisected", "n log n, in C", """
            from bisect import bisect_right

            begins = [[0]]
            found = 0
            for end, letter in enumerate(text, start=1):
                if letter == "$open":
                    begins.append([end])
                    continue
                if letter == "$close":
                    begins.pop()
                    if not begins:
                        begins = [[end]]
                        continue
                found += bisect_right(begins[-1], end - $least)
                begins[-1].append(end)
            return found
            """),
    ),
    wrong=(
        """
        found = 0
        for i in range(len(text)):
            depth = 0
            for j in range(i, len(text)):
                depth += (text[j] == "$open") - (text[j] == "$close")
                if depth == 0 and j - i + 1 >= $least:
                    found += 1
        return found
        """,
        """
        found = 0
        for i in range(len(text)):
            depth = 0
            for j in range(i, len(text)):
                depth += (text[j] == "$open") - (text[j] == "$close")
                if depth < 0:
                    break
                if depth == 0 and j - i > $least:
                    found += 1
        return found
        """,
    ),
    answer=_balanced,
    edges=_balanced_edges,
    small=_balanced_small,
    large=_balanced_large,
    sizes=(350, 700),
)  # fmt: skip
