"""The functions that conversations are about, and which of them one offers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.tool_chats.function import Function


@dataclass(frozen=True)
class Toolbox:
    """`most`: how many functions a conversation offers at most."""

    domains: tuple[tuple[Function, ...], ...]
    most: int

    @cached_property
    def functions(self) -> tuple[Function, ...]:
        return tuple(function for domain in self.domains for function in domain)

    def tools(self, needed: Sequence[Function], withheld: Function | None, draw: Draw) -> str:
        """The functions needed and some that distract from them, in random order, as JSON."""
        chosen = list(needed)
        spare = [one for one in self.functions if one not in chosen and one is not withheld]
        count = draw.whole(max(len(chosen), 1), max(self.most, len(chosen)))
        while len(chosen) < count and spare:
            # Half of them are of a domain that is talked about: these are hard to tell from what is needed.
            near = self._neighbours(chosen[0] if chosen else withheld, spare) if draw.pick((True, False)) else []
            chosen.append(draw.pick(near or spare))
            spare.remove(chosen[-1])
        return json.dumps([one.schema for one in draw.some(chosen, len(chosen))], ensure_ascii=False)

    def _neighbours(self, function: Function | None, spare: Sequence[Function]) -> list[Function]:
        home = next((domain for domain in self.domains if function in domain), ())
        return [one for one in spare if one in home]
