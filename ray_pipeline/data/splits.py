"""Dividing rows into training and evaluation, or into folds, without ever dividing a group (a question, a paper).

Groups are walked in the order of a hash of (seed, group id), so the result depends on neither row order nor platform. Each
goes where it costs least: with `f` rows of stratum s already on a side that should get the share `w`, adding `c` more costs
sum_s c (2 f + c) / w, which is the growth of sum_s f^2 / w: its minimum, with the totals given, is every stratum divided by
the shares. "All rows" is a stratum of its own, so without strata this is Webster's apportionment of rows, one group at a
time.

Traps. Groups of unequal size make the shares approximate, within about one group. A stratum smaller than 1 / (2 share) rows
goes to the larger side (rounded to nearest, its part of the smaller side is none).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.errors import DataError

Labels: TypeAlias = Sequence[str] | Sequence[int] | NDArray[Any] | pa.Array | pa.ChunkedArray

TRAIN, EVAL = 0, 1


def split_by_group(groups: Labels, eval_share: float, seed: int, strata: Labels | None = None) -> NDArray[np.int8]:
    """0 (train) or 1 (eval) for each row; rows of one group stay together and `eval_share` of the rows are 1, as near as groups allow."""
    if not 0.0 < eval_share < 1.0:
        raise DataError(f"eval_share is {eval_share}; it must lie between 0 and 1")
    sides = _assign(groups, (1.0 - eval_share, eval_share), seed, strata).astype(np.int8)
    for side, name in ((TRAIN, "training"), (EVAL, "evaluation")):
        if not np.any(sides == side):
            raise DataError(f"eval_share {eval_share} of {len(sides)} rows leaves the {name} side empty; take another share or more groups")
    return sides


def split_shuffled(groups: Labels, eval_share: float, seed: int) -> NDArray[np.int8]:
    """0 (train) or 1 (eval) for each row, as a notebook splits: the sorted distinct groups, shuffled by numpy's generator, the first
    share of *groups* evaluated. For comparison with published runs; `split_by_group` keeps the share of rows more closely."""
    if not 0.0 < eval_share < 1.0:
        raise DataError(f"eval_share is {eval_share}; it must lie between 0 and 1")
    names, group_of_row = _encoded(groups, "group")
    in_order = sorted(range(len(names)), key=lambda at: _natural(names[at]))
    count = round(len(names) * eval_share)
    if not 0 < count < len(names):
        raise DataError(f"eval_share {eval_share} of {len(names)} groups leaves one side empty; take another share or more groups")
    evaluated = np.array(in_order)[np.random.default_rng(seed).permutation(len(names))[:count]]
    return np.isin(group_of_row, evaluated).astype(np.int8)


def k_fold(groups: Labels, folds: int, seed: int, strata: Labels | None = None) -> NDArray[np.int64]:
    """The fold, 0 to `folds` - 1, of each row; rows of one group are in one fold."""
    if folds < 2:
        raise DataError(f"{folds} folds: at least 2 are needed")
    assigned = _assign(groups, (1.0 / folds,) * folds, seed, strata)
    used = len(np.unique(assigned))
    if used < folds:
        raise DataError(f"{folds} folds, but only {used} groups; take at most as many folds as there are groups")
    return assigned


def seen_labels(train_labels: Labels, eval_labels: Labels) -> NDArray[np.bool_]:
    """For each evaluation label, whether a training row has it too."""
    return np.asarray(np.isin(np.asarray(eval_labels), np.asarray(train_labels)), dtype=np.bool_)


def _assign(groups: Labels, shares: tuple[float, ...], seed: int, strata: Labels | None) -> NDArray[np.int64]:
    """The side of each row, by the walk over groups that the module describes."""
    names, group_of_row = _encoded(groups, "group")
    counts = _counts_by_group(group_of_row, strata)
    filled: list[dict[int, int]] = [{} for _ in shares]
    side_of_group = np.zeros(len(names), dtype=np.int64)
    for group in _hashed_order(names, seed):
        costs = [
            sum(count * (2 * side.get(stratum, 0) + count) for stratum, count in counts[group]) / share
            for side, share in zip(filled, shares, strict=True)
        ]
        chosen = costs.index(min(costs))
        for stratum, count in counts[group]:
            filled[chosen][stratum] = filled[chosen].get(stratum, 0) + count
        side_of_group[group] = chosen
    return side_of_group[group_of_row]


def _encoded(labels: Labels, what: str) -> tuple[list[object], NDArray[np.int64]]:
    """The distinct labels and the number of each row's label among them."""
    column = labels if isinstance(labels, pa.Array | pa.ChunkedArray) else pa.array(labels)
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if column.null_count:
        row = column.is_null().to_numpy(zero_copy_only=False).argmax()
        raise DataError(f"row {row} has no {what}; {column.null_count} rows have none, and a split needs one for each")
    encoded = column.dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)


def _natural(name: object) -> tuple[int, int, str]:
    """Numbers by value (equal ones, as 7 and 07, by spelling) before all other names."""
    text = str(name)
    return (0, int(text), text) if text.isdecimal() else (1, 0, text)


def _hashed_order(names: list[object], seed: int) -> list[int]:
    keys = [hashlib.sha256(f"{seed}\n{name}".encode()).digest() for name in names]
    return sorted(range(len(names)), key=lambda group: (keys[group], str(names[group])))


def _counts_by_group(group_of_row: NDArray[np.int64], strata: Labels | None) -> list[list[tuple[int, int]]]:
    """For each group its (stratum, rows) pairs; stratum -1 is "all rows"."""
    counts = [[(-1, int(rows))] for rows in np.bincount(group_of_row)]
    if strata is None:
        return counts
    names, stratum_of_row = _encoded(strata, "stratum")
    if len(stratum_of_row) != len(group_of_row):
        raise ValueError(f"{len(stratum_of_row)} strata for {len(group_of_row)} rows")
    pairs, rows = np.unique(group_of_row * len(names) + stratum_of_row, return_counts=True)
    for pair, count in zip(pairs.tolist(), rows.tolist(), strict=True):
        counts[pair // len(names)].append((pair % len(names), count))
    return counts
