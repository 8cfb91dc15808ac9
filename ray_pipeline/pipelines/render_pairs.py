"""Stage `pairs`: preferences as a model's tokens; of each side what the assistant answers is counted, and nothing of the prompt.

    train/NNNNNN.parquet, eval/NNNNNN.parquet

The same is looked for as with conversations (`render.py`), and prompts that come out as different tokens before the two answers are counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from ray_pipeline.artifacts import Artifact, Attempt
from ray_pipeline.config import Settings, identity
from ray_pipeline.data.chats.table import conversation_of
from ray_pipeline.data.pair_rows import pair_table
from ray_pipeline.data.rows import Rows
from ray_pipeline.errors import DataError
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.policy.tokenizer import Form, renderer_of
from ray_pipeline.models.source import locate
from ray_pipeline.pipelines.render import BLOCK, SPLITS, policy_inputs
from ray_pipeline.pipelines.stage import Outcome, Run, Stage
from ray_pipeline.progress import Progress
from ray_pipeline.text.chat.rendering import MaskSettings, Rendered, Renderer

ALGORITHM: Final = 1
_ALL_REPLIES: Final = MaskSettings()


class RenderPairsSettings(Settings):
    """How pairs become rows of tokens."""

    form: Form = identity("chat", "chat: in the model's template; plain: a prompt and its continuation, as they stand (base models)")
    max_length: int = identity(2048, "tokens of a prompt and one answer at most", ge=2)
    too_long: Literal["fail", "drop"] = identity("fail", "what becomes of pairs with a longer side; dropped ones are counted")
    checked: int = identity(1000, "how many pairs, from the first on, are compared with the template's own tokens", ge=0)


def render_pairs(run: Run, preferences: Artifact, model: PolicySettings, settings: RenderPairsSettings) -> Artifact:
    """The tokens of all splits."""
    inputs = {"preferences": preferences.as_input(), **policy_inputs(model)}
    stage = Stage("pairs", ALGORITHM, {"render": settings}, inputs, {"options": model.template_options})

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        renderer = renderer_of(locate(model.name, model.revision).folder, model, _ALL_REPLIES, settings.form)
        made = _Pairs(renderer, settings)
        rows = {split: made.write(attempt, preferences, split) for split in SPLITS if preferences.files(f"{split}/")}
        if not rows.get("train"):
            raise DataError(f"{preferences.location.uri}: no pair is left to train on: {made.counts}")
        return Outcome(rows["train"], {**made.counts, "rows": rows})

    return run.ensure(stage, build)


class _Pairs:
    """Renders split after split, and counts what became of their pairs."""

    def __init__(self, renderer: Renderer, settings: RenderPairsSettings) -> None:
        self.renderer, self.settings = renderer, settings
        self.counts = dict.fromkeys(("too_long", "straddling", "other_prompts", "checked", "tokens"), 0)

    def write(self, attempt: Attempt, preferences: Artifact, split: str) -> int:
        """The split's rows, file by file; how many there are."""
        table = Rows.of(preferences, f"{split}/")
        progress, rows = Progress(f"pairs {split}", len(table), "pairs"), 0
        for number, (start, block) in enumerate(table.blocks(BLOCK)):
            names, sides = [], []
            for row, pair in enumerate(block.to_pylist(), start):
                found = self._rendered(pair, f"{split}, pair {pair['pair_id']}", checked=row < self.settings.checked)
                if found is not None:
                    names.append((pair["pair_id"], pair["set"], pair["weight"]))
                    sides.append(found)
            if sides:
                attempt.write_table(f"{split}/{number:06d}.parquet", pair_table(names, sides))
            rows += len(sides)
            progress.advance(len(block), tokens=sum(len(one.ids) for pair in sides for one in pair))
        return rows

    def _rendered(self, pair: Mapping[str, Any], where: str, *, checked: bool) -> tuple[Rendered, Rendered] | None:
        chosen, rejected = (self._side(pair, side, f"{where}, {side}", checked) for side in ("chosen", "rejected"))
        longest = max(len(chosen.ids), len(rejected.ids))
        if longest > self.settings.max_length:
            self.counts["too_long"] += 1
            if self.settings.too_long == "fail":
                raise DataError(f"{where}: {longest:,} tokens, and max_length is {self.settings.max_length:,}; raise it, or set render.too_long=drop")
            return None
        heads = [one.ids[: int(one.learned.argmax())].tolist() for one in (chosen, rejected)]
        self.counts["other_prompts"] += heads[0] != heads[1]
        self.counts["straddling"] += chosen.straddling + rejected.straddling
        self.counts["checked"] += checked
        self.counts["tokens"] += len(chosen.ids) + len(rejected.ids)
        return chosen, rejected

    def _side(self, pair: Mapping[str, Any], side: str, where: str, checked: bool) -> Rendered:
        conversation = conversation_of({"chat_id": pair["pair_id"], "messages": [*pair["prompt"], *pair[side]], "tools": pair["tools"]})
        try:
            rendered = self.renderer.render(conversation, after=len(pair["prompt"]))
        except DataError as problem:
            raise DataError(f"{where}: {problem}") from problem
        if checked:
            self.renderer.check(conversation, rendered, where)
        if not rendered.learned[1:].any():
            raise DataError(f"{where}: nothing of the answer is left to count; take the pair out")
        return rendered
