"""What a sweep varies: for each setting of a job, the values it may take.

A space is a mapping from a setting's dotted key to a domain. In YAML the keys may be dotted or nested, in any mixture, so that
a file can say `train.optimizer.lr: {kind: loguniform, ...}` and the command line `sweep.space.train.optimizer.lr.low=1e-6`;
null takes a key out.

Drawn numbers are rounded to six digits, so that the value in a table is the value that was used.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import numpy as np
from pydantic import Field, model_validator

from ray_pipeline.config import Settings, describe, identity, parse
from ray_pipeline.errors import SettingsError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

S = TypeVar("S", bound=Settings)
Values = Mapping[str, Any]


class _Interval(Settings):
    """Real numbers between two bounds."""

    low: float = identity(..., "smallest value")
    high: float = identity(..., "largest value")

    @model_validator(mode="after")
    def _is_wide(self) -> _Interval:
        if self.low >= self.high:
            raise ValueError(f"low={self.low:g} is not below high={self.high:g}")
        return self

    def edges(self) -> Sequence[Any]:
        return [self.low, self.high]

    def grid(self) -> Sequence[Any] | None:
        return None

    def decoded(self, drawn: Any) -> Any:
        return _rounded(float(drawn), self.low, self.high)

    def encoded(self, value: Any) -> Any:
        return value


class Uniform(_Interval):
    """Every value between the bounds alike."""

    kind: Literal["uniform"] = identity("uniform", "real numbers, all alike")

    def sample(self, rng: np.random.Generator) -> Any:
        return self.decoded(rng.uniform(self.low, self.high))

    def distribution(self) -> BaseDistribution:
        from optuna.distributions import FloatDistribution

        return FloatDistribution(self.low, self.high)


class LogUniform(_Interval):
    """Every order of magnitude between the bounds alike."""

    kind: Literal["loguniform"] = identity("loguniform", "real numbers, all orders of magnitude alike")

    @model_validator(mode="after")
    def _has_a_logarithm(self) -> LogUniform:
        if self.low <= 0:
            raise ValueError(f"low={self.low:g}: a logarithm needs bounds above 0")
        return self

    def sample(self, rng: np.random.Generator) -> Any:
        return self.decoded(math.exp(rng.uniform(math.log(self.low), math.log(self.high))))

    def distribution(self) -> BaseDistribution:
        from optuna.distributions import FloatDistribution

        return FloatDistribution(self.low, self.high, log=True)


class QUniform(_Interval):
    """Steps of equal size from the lower bound on."""

    kind: Literal["quniform"] = identity("quniform", "real numbers in steps")
    step: float = identity(..., "distance between neighbours", gt=0)

    def edges(self) -> Sequence[Any]:
        return [self._at(0), self._at(self._last())]

    def grid(self) -> Sequence[Any] | None:
        return [self._at(place) for place in range(self._last() + 1)]

    def sample(self, rng: np.random.Generator) -> Any:
        return self._at(int(rng.integers(self._last() + 1)))

    def decoded(self, drawn: Any) -> Any:
        return self._at(int(drawn))

    def encoded(self, value: Any) -> Any:
        return round((value - self.low) / self.step)

    def distribution(self) -> BaseDistribution:
        from optuna.distributions import IntDistribution

        return IntDistribution(0, self._last())

    def _last(self) -> int:
        return math.floor((self.high - self.low) / self.step + 1e-9)

    def _at(self, place: int) -> float:
        return _rounded(self.low + place * self.step, self.low, self.high)


class Integers(Settings):
    """Whole numbers, both bounds included."""

    kind: Literal["integers"] = identity("integers", "whole numbers, all alike")
    low: int = identity(..., "smallest value")
    high: int = identity(..., "largest value")

    @model_validator(mode="after")
    def _is_wide(self) -> Integers:
        if self.low >= self.high:
            raise ValueError(f"low={self.low} is not below high={self.high}")
        return self

    def edges(self) -> Sequence[Any]:
        return [self.low, self.high]

    def grid(self) -> Sequence[Any] | None:
        return range(self.low, self.high + 1)

    def sample(self, rng: np.random.Generator) -> Any:
        return int(rng.integers(self.low, self.high + 1))

    def decoded(self, drawn: Any) -> Any:
        return int(drawn)

    def encoded(self, value: Any) -> Any:
        return value

    def distribution(self) -> BaseDistribution:
        from optuna.distributions import IntDistribution

        return IntDistribution(self.low, self.high)


class Choice(Settings):
    """Any of the values; one may also be a whole section of settings."""

    kind: Literal["choice"] = identity("choice", "one of several values")
    values: list[Any] = identity(..., "the values", min_length=1)

    def edges(self) -> Sequence[Any]:
        return self.values

    def grid(self) -> Sequence[Any] | None:
        return self.values

    def sample(self, rng: np.random.Generator) -> Any:
        return self.values[int(rng.integers(len(self.values)))]

    def decoded(self, drawn: Any) -> Any:
        return self.values[int(drawn)]

    def encoded(self, value: Any) -> Any:
        return next(place for place, one in enumerate(self.values) if one == value and type(one) is type(value))

    def distribution(self) -> BaseDistribution:
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(range(len(self.values)))  # by place: values may be lists and mappings


Domain = Annotated[Uniform | LogUniform | QUniform | Integers | Choice, Field(discriminator="kind")]
Space = Mapping[str, Uniform | LogUniform | QUniform | Integers | Choice]


def _rounded(value: float, low: float, high: float) -> float:
    return min(max(float(f"{value:.6g}"), low), high)


def flat_space(given: Any) -> Any:
    """Dotted and nested keys as one mapping from dotted keys to domains."""
    if not isinstance(given, Mapping):
        return given
    found: dict[str, Any] = {}
    for key, domain in _leaves(given, ""):
        known = found.get(key)
        if isinstance(domain, Mapping) and isinstance(known, Mapping) and domain.get("kind", known.get("kind")) == known.get("kind"):
            found[key] = {**known, **domain}
        else:
            found[key] = domain  # of another kind: nothing of the old one fits
    return {key: domain for key, domain in found.items() if domain is not None}


def _leaves(given: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """A mapping is a domain where it says its kind, or holds neither mappings nor nulls (a part of one, from the command line)."""
    for name, inner in given.items():
        key = f"{prefix}{name}"
        inside = isinstance(inner, Mapping) and any(one is None or isinstance(one, Mapping) for one in inner.values())
        if inside and not isinstance(inner.get("kind"), str):
            yield from _leaves(inner, f"{key}.")
        else:
            yield key, inner


def with_values(base: Mapping[str, Any], values: Values) -> dict[str, Any]:
    """A copy of nested settings with the values of dotted keys put in."""
    changed = dict(base)
    for key, value in values.items():
        first, _, rest = key.partition(".")
        inner = changed.get(first)
        changed[first] = with_values(inner if isinstance(inner, Mapping) else {}, {rest: value}) if rest else value
    return changed


def check_space(kind: type[S], base: Mapping[str, Any], space: Space) -> None:
    """Refuse what could fail in every trial: keys that the job does not have, keys that change no result, values it refuses.

    Values are tried at the edges of their domains, one key at a time. What is refused only together with another setting (a
    combination) is a result of the trial that draws it, unless no combination that was tried is possible.
    """
    described = {one.key: one for one in describe(kind)}
    sections = {key.rsplit(".", depth)[0] for key in described for depth in range(1, key.count(".") + 1)}
    for key in space:
        if key not in described and key not in sections:
            near = difflib.get_close_matches(key, [*described, *sections], n=1, cutoff=0.4)
            raise SettingsError(f"sweep.space: the job has no setting {key!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        if key in described and described[key].role == "placement":
            raise SettingsError(f"sweep.space: {key} decides where work runs and changes no result; give it to the sweep itself: {key}=...")
    nested = [(one, two) for one in space for two in space if two.startswith(f"{one}.")]
    if nested:
        raise SettingsError(f"sweep.space: {nested[0][1]} lies inside {nested[0][0]}, which is varied as a whole; vary one of the two")
    first = {key: domain.edges()[0] for key, domain in space.items()}
    impossible: list[str] = []
    points = [(key, {**first, key: edge}) for key, domain in space.items() for edge in domain.edges()]
    for key, point in points:
        try:
            parse(kind, with_values(base, point))
        except SettingsError as problem:
            own = [line for line in str(problem).splitlines() if line.startswith(f"{key}:")]
            if own:
                raise SettingsError(f"sweep.space: {own[0]}") from None
            impossible.append(str(problem))
    if len(impossible) == len(points):
        raise SettingsError(f"sweep.space: no combination is possible: {impossible[0]}")
