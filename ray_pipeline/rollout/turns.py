"""Rollouts of several turns: the policy replies, its environment answers, and so on, all rollouts together turn by turn.

Everything stays in tokens. What the engine wrote is never made into tokens again: the next prompt is the last one, the tokens of the reply, and the
tokens that the template puts between a reply and the next (`Renderer.between`). So what is learned from is what was drawn, token for token, and the
engine finds all but the newest tokens in its cache. A template that drops earlier thoughts does not get to: a policy sees here what it has thought.

An environment that fails ends its own rollout, which is marked with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ray_pipeline.data.tasks.task import Task
from ray_pipeline.rollout.environments.environment import Environment, EnvironmentFault, Environments, Reply, Standing
from ray_pipeline.rollout.settings import SamplingSettings
from ray_pipeline.rollout.thought_tokens import thought_tokens
from ray_pipeline.rollout.writer import Answer, Request, Writer, draw_seed
from ray_pipeline.text.chat.rendering import Renderer

Decode = Callable[[Sequence[int]], str]


@dataclass(frozen=True)
class Played:
    """A rollout. `ids` stand behind the prompt: what the policy wrote and, between its replies, what it was told."""

    prompt: tuple[int, ...]
    ids: tuple[int, ...]
    written: tuple[bool, ...]  # by the policy
    logprobs: tuple[float, ...]  # of those that it wrote
    thought: tuple[bool, ...]  # which of those that it wrote are chain of thought
    replies: tuple[str, ...]
    truncated: bool  # its last reply was cut off, or there was no room for another
    standing: Standing | None = None  # None: there is no environment, or it failed
    fault: str | None = None

    @staticmethod
    def of(prompt: Sequence[int], answer: Answer, thought: int) -> Played:
        """One reply, and nothing behind it. `thought`: how many of its first tokens are chain of thought."""
        length = len(answer.ids)
        thinking = tuple(place < thought for place in range(length))
        return Played(tuple(prompt), answer.ids, (True,) * length, answer.logprobs or (), thinking, (answer.text,), not answer.finished)


@dataclass
class _Live:
    """A rollout while it goes on."""

    task: Task
    number: int  # of its prompt among all that are ever asked, and
    sample: int  # of it among those of the prompt: they decide its draws
    prompt: list[int]
    environment: Environment | None
    ids: list[int] = field(default_factory=list)
    written: list[bool] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    thought: list[bool] = field(default_factory=list)
    replies: list[str] = field(default_factory=list)
    truncated: bool = False
    fault: str | None = None
    over: bool = False

    @property
    def world(self) -> Environment:
        if self.environment is None:
            raise EnvironmentFault("it is over")
        return self.environment

    def request(self, seed: int, room: int, most: int) -> Request:
        left = room - len(self.prompt) - len(self.ids)
        return Request([*self.prompt, *self.ids], draw_seed(seed, self.number, self.sample, len(self.replies)), max_tokens=min(most, left))

    def heard(self, answer: Answer, thought: int) -> None:
        """What it wrote."""
        self.ids += answer.ids
        self.written += [True] * len(answer.ids)
        self.logprobs += answer.logprobs or ()
        self.thought += [place < thought for place in range(len(answer.ids))]
        self.replies.append(answer.text)
        self.truncated = not answer.finished

    def told(self, tokens: Sequence[int]) -> None:
        """What comes between its replies."""
        self.ids += tokens
        self.written += [False] * len(tokens)

    def fails(self, problem: EnvironmentFault) -> None:
        self.over, self.fault, self.environment = True, f"environment, task {self.task.task_id}: {problem}", None

    def played(self) -> Played:
        standing = None
        if self.environment is not None:
            try:
                standing = self.environment.standing()
            except EnvironmentFault as problem:
                self.fails(problem)
        return Played(
            tuple(self.prompt),
            tuple(self.ids),
            tuple(self.written),
            tuple(self.logprobs),
            tuple(self.thought),
            tuple(self.replies),
            self.truncated,
            standing,
            self.fault,
        )


@dataclass(frozen=True)
class Turns:
    """How rollouts are drawn. `sampling.samples` of each task; `most`: replies of a rollout."""

    renderer: Renderer
    decode: Decode  # keeps special tokens
    sampling: SamplingSettings
    most: int

    def __call__(self, engine: Writer, tasks: Sequence[Task], environments: Environments, first: int = 0) -> list[Played]:
        """Those of a task stand together. `first`: the number of the first task among all that are ever asked, which decides its draws."""
        every = [
            self._begun(task, first + place, sample, environments, engine.room)
            for place, task in enumerate(tasks)
            for sample in range(self.sampling.samples)
        ]
        for turn in range(self.most):
            live = [one for one in every if not one.over]
            if not live:
                break
            self._turn(engine, live, last=turn + 1 == self.most)
        return [one.played() for one in every]

    def _begun(self, task: Task, number: int, sample: int, environments: Environments, room: int) -> _Live:
        found = _Live(task, number, sample, self.renderer.prompt(task.conversation()), None)
        try:
            if len(found.prompt) >= room:
                raise EnvironmentFault(f"its prompt has {len(found.prompt):,} tokens, and the engine holds {room:,} with the answer")
            found.environment = environments.begin(task)
        except EnvironmentFault as problem:
            found.fails(problem)
        return found

    def _turn(self, engine: Writer, live: Sequence[_Live], last: bool) -> None:
        room, single = engine.room, self.sampling.model_copy(update={"samples": 1})
        requests = [one.request(self.sampling.seed, room, self.sampling.max_tokens) for one in live]
        for one, answers in zip(live, engine.answer(requests, single), strict=True):
            one.heard(answers[0], thought_tokens(answers[0].ids, self.decode, self.renderer.supplied))
            self._answered(one, room, last)

    def _answered(self, one: _Live, room: int, last: bool) -> None:
        """What its environment says to its reply; it is over where that is nothing, or where it may not go on."""
        try:
            messages = one.world.answer(Reply.of(one.replies[-1], self.renderer.supplied, not one.truncated))
        except EnvironmentFault as problem:
            one.fails(problem)
            return
        one.over = not messages or last or one.truncated
        if one.over:
            one.truncated = one.truncated or bool(messages)
            return
        tokens = self.renderer.between(one.task.conversation(), messages, one.ids)
        if len(one.prompt) + len(one.ids) + len(tokens) >= room:
            one.over = one.truncated = True
            return
        one.told(tokens)
