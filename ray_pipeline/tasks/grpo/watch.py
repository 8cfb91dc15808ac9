"""The watch of a reinforcement learning: says that it is going wrong, by which figures, since when, and what to change.

A machine without side effects but one: what is logged of each step goes in, a warning goes to `say`, and where the settings say stop, an error ends
the run. Four rules, each of which must hold for several steps in a row:

* entropy    has fallen below a share of what it was at first: the rollouts of a prompt become copies, and then none is better than another.
* length     answers are several times as long as at first AND many are cut off. The first alone would accuse a policy that learns to think, the
             second alone one that begins with a tight limit.
* mismatch   the mean of the divergence between what the engine and what the trainer find likely: rollouts are of another policy than learns.
* thought    no answer has a chain of thought that begins and ends, though the advantage or a reward is about it: EGPO is then GRPO.

A warning is said once, and again only after the rule did not hold for a step. All ranks are fed the same figures, so all stop at the same step.
The state is plain JSON values and knows no bounds, so that a run which was stopped may go on with other ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ray_pipeline.errors import TrainingError
from ray_pipeline.objectives.advantage import AdvantageSettings, EgpoAdvantage
from ray_pipeline.rollout.rewards.settings import RewardSettings
from ray_pipeline.tasks.grpo.watch_settings import Action, WatchSettings

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Rule:
    """Of one step: whether it is at fault. `words`: which figures, as they are now."""

    name: str
    action: Action
    steps: int
    holds: bool
    words: str
    remedy: str


class Watch:
    """`thoughts_for`: the setting that is about chains of thought, if there is one."""

    def __init__(self, settings: WatchSettings, thoughts_for: str | None, say: Callable[[str], None]) -> None:
        self._settings, self._thoughts_for, self._say = settings, thoughts_for, say
        self.most_silent = settings.most_silent
        self._first: dict[str, list[float]] = {"entropy": [], "answer_tokens": []}
        self._since: dict[str, int] = {}  # by rule, the first of the steps in a row at which it holds
        self._said: set[str] = set()  # of those, what was warned of

    def step(self, row: Figures) -> None:
        """Judge the run after one more step; `row` is what was logged of it."""
        for name, values in self._first.items():
            if len(values) < self._settings.first_steps:
                values.append(float(row[name]))
        for rule in (self._entropy(row), self._length(row), self._mismatch(row), self._thought(row)):
            self._judge(rule, int(row["step"]))

    def state_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"first": {name: list(values) for name, values in self._first.items()}, "since": dict(self._since), "said": sorted(self._said)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._first = {name: list(values) for name, values in state["first"].items()}
        self._since, self._said = {name: int(step) for name, step in state["since"].items()}, set(state["said"])

    def _judge(self, rule: Rule, step: int) -> None:
        if not rule.holds:
            self._since.pop(rule.name, None)
            self._said.discard(rule.name)
            return
        since = self._since.setdefault(rule.name, step)
        if rule.action == "off" or step - since + 1 < rule.steps:
            return
        told = f"watch.{rule.name}: {rule.words}, at each step from {since:,} to {step:,}. {rule.remedy}"
        if rule.action == "stop":
            raise TrainingError(
                f"{told} This ended the run at step {step:,}, since watch.{rule.name}.action=stop; with other bounds, or with warn, the same command "
                "goes on from the newest checkpoint."
            )
        if rule.name not in self._said:
            self._say(told)
            self._said.add(rule.name)

    def _usual(self, name: str) -> float:
        """The mean of the first steps."""
        return sum(self._first[name]) / len(self._first[name])

    def _entropy(self, row: Figures) -> Rule:
        settings, now, usual = self._settings.entropy, row["entropy"], self._usual("entropy")
        return Rule(
            "entropy",
            settings.action,
            settings.steps,
            now < settings.share * usual,
            f"the entropy is {now:.3g}, below {settings.share:g} times the first steps' {usual:.3g} (uniform prompts: {row['uniform']:.0%}): the "
            "rollouts of a prompt become copies of each other",
            "Raise loss.clip_high or loss.entropy_weight, lower optimizer.lr, or hold the policy by loss.kl.",
        )

    def _length(self, row: Figures) -> Rule:
        settings, now, usual = self._settings.length, row["answer_tokens"], self._usual("answer_tokens")
        return Rule(
            "length",
            settings.action,
            settings.steps,
            now > settings.times * usual and row["truncated"] > settings.truncated,
            f"answers have {now:,.0f} tokens, over {settings.times:g} times the first steps' {usual:,.0f}, and {row['truncated']:.0%} are cut off",
            "Reward brevity (reward.parts.*.kind=overlong), take loss.average=constant, which gives long answers no advantage, or raise "
            "draw.max_tokens if they are long for a reason.",
        )

    def _mismatch(self, row: Figures) -> Rule:
        settings, now = self._settings.mismatch, row["mismatch_kl"]
        return Rule(
            "mismatch",
            settings.action,
            settings.steps,
            now > settings.most,
            f"mismatch_kl is {now:.3g}, above {settings.most:g}: the engine draws from another policy than the one that learns",
            "Take the same precision for both (policy.precision, train.precision), loss.mismatch.kind=mask, or a lower optimizer.lr.",
        )

    def _thought(self, row: Figures) -> Rule:
        settings = self._settings.thought
        return Rule(
            "thought",
            settings.action,
            settings.steps,
            self._thoughts_for is not None and row["thought_tokens"] == 0,
            f"no answer has a whole chain of thought, which {self._thoughts_for} is about ({row['truncated']:.0%} of answers are cut off)",
            "Begin with a model that thinks, or whose template opens <think>; raise draw.max_tokens if thoughts are cut off; reward the form "
            "(reward.parts.*.kind=format); or take advantage.kind=grpo.",
        )


def thoughts_for(advantage: AdvantageSettings, reward: RewardSettings) -> str | None:
    """The setting that is about chains of thought: where there are none, it does nothing, or all rewards are 0."""
    if isinstance(advantage, EgpoAdvantage):
        return f"advantage.kind={advantage.kind}"
    return next((f"reward.parts.{name}.kind={one.kind}" for name, one in reward.parts.items() if one.kind == "strict"), None)
