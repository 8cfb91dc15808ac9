"""The steps of code models: programs are written, judged and timed, become pairs to learn from, and models are compared by them.

    solve -> judge -> time -> pairs -> (sft, dpo) -> solve of held-out problems -> judge -> time -> compare_code

What a step reads of problems it finds by what it is given: verdicts know the problems that they are of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from ray_pipeline.artifacts import Artifact, load
from ray_pipeline.config import Settings, identity, section, source
from ray_pipeline.errors import SettingsError
from ray_pipeline.pipelines.chain import BASE, Chain, PipelineChainSettings
from ray_pipeline.pipelines.code_comparison import compare_code
from ray_pipeline.pipelines.generate import AnswerSettings, GenerateSettings, generate
from ray_pipeline.pipelines.judge import JudgeSettings, judge_solutions
from ray_pipeline.pipelines.pairs import MakePairsSettings, pair_programs
from ray_pipeline.pipelines.prepare_chats import ProblemChats, prepare_chats
from ray_pipeline.pipelines.problems import GeneratedProblems, ProblemFile, prepare_problems
from ray_pipeline.pipelines.solutions import GeneratedSolutions, MutatedSolutions, OwnSolutions, SolutionFile, gather_solutions
from ray_pipeline.pipelines.timings import TimeSettings, time_solutions
from ray_pipeline.pipelines.written_tests import GeneratedTests, OutcomeSettings, gather_tests, run_written_tests

Programs = Annotated[OwnSolutions | MutatedSolutions | SolutionFile, Field(discriminator="kind")]


class CodeStep(Settings):
    """A step about programs."""

    gives: ClassVar[str]
    reads: ClassVar[Mapping[str, str]] = {}


class ProblemStep(CodeStep):
    """A step that begins from problems."""

    gives: ClassVar[str] = "solutions"

    of: Literal["problems", "held_out"] = identity("problems", "which of the pipeline's problems: those to learn from, or those to measure by")

    def own_problems(self, settings: PipelineChainSettings) -> ProblemFile | GeneratedProblems:
        found = settings.problems if self.of == "problems" else settings.held_out
        if found is None:
            raise SettingsError(f"this pipeline has no {self.of}; give them ({self.of}.kind=file {self.of}.path=..., or kind=generated)")
        return found


class SolveStep(ProblemStep):
    """Let a policy write programs."""

    reads: ClassVar[Mapping[str, str]] = {"policy": "policy"}

    kind: Literal["solve"] = identity("solve", "let a policy write programs that solve problems")
    policy: str = source(BASE, "base (the pipeline's own policy), or the step whose policy writes")
    instruction: str = identity("{prompt}", "what is asked; {prompt} stands for the problem's own text, {entry_point} for its function's name")
    generate: AnswerSettings = section(AnswerSettings(), "how many programs, and how they are drawn")
    own: bool = identity(False, "put the programs that the problems bring beside the policy's")

    def make(self, chain: Chain) -> Artifact:
        data = self.own_problems(chain.settings)
        answers = answered(chain, data, self.instruction, self.policy, self.generate)
        found = GeneratedSolutions(generations=answers.location.uri, own=self.own)
        return gather_solutions(chain.run, prepare_problems(chain.run, data), found)


class SolutionsStep(ProblemStep):
    """Take programs that were there before."""

    kind: Literal["solutions"] = identity("solutions", "take programs that are there")
    programs: Programs = section(OwnSolutions(), "which")

    def make(self, chain: Chain) -> Artifact:
        return gather_solutions(chain.run, prepare_problems(chain.run, self.own_problems(chain.settings)), self.programs)


class JudgeStep(CodeStep):
    """Find out which programs are right."""

    gives: ClassVar[str] = "verdicts"
    reads: ClassVar[Mapping[str, str]] = {"solutions": "solutions"}

    kind: Literal["judge"] = identity("judge", "find out which programs are right")
    solutions: str = source(..., "the step whose programs are judged")
    judge: JudgeSettings = section(JudgeSettings(), "how")

    def make(self, chain: Chain) -> Artifact:
        solutions = chain.made[self.solutions]
        return judge_solutions(chain.run, before(solutions, "problems"), solutions, self.judge)


class TimeStep(CodeStep):
    """Find out how fast the right programs are."""

    gives: ClassVar[str] = "timings"
    reads: ClassVar[Mapping[str, str]] = {"verdicts": "verdicts"}

    kind: Literal["time"] = identity("time", "find out how fast the right programs are")
    verdicts: str = source(..., "the step that judged the programs")
    time: TimeSettings = section(TimeSettings(), "how")

    def make(self, chain: Chain) -> Artifact:
        verdicts = chain.made[self.verdicts]
        return time_solutions(chain.run, before(verdicts, "problems"), verdicts, self.time)


class WrittenTestsStep(ProblemStep):
    """Let a policy write tests, and run programs on them."""

    gives: ClassVar[str] = "outcomes"
    reads: ClassVar[Mapping[str, str]] = {"policy": "policy", "solutions": "solutions"}

    kind: Literal["written_tests"] = identity("written_tests", "let a policy write tests, and see which programs pass them: for pairs by codedpo")
    policy: str = source(BASE, "base (the pipeline's own policy), or the step whose policy writes")
    solutions: str = source(..., "the step whose programs are run on the tests")
    instruction: str = identity(
        "{prompt}\n\nWrite assert statements that test {entry_point}, one a line.", "what is asked; {prompt} and {entry_point} as for solve"
    )
    generate: AnswerSettings = section(AnswerSettings(), "how many answers, and how they are drawn")
    outcomes: OutcomeSettings = section(OutcomeSettings(), "how programs are run on the tests")

    def make(self, chain: Chain) -> Artifact:
        data = self.own_problems(chain.settings)
        problems, solutions = prepare_problems(chain.run, data), chain.made[self.solutions]
        if before(solutions, "problems").fingerprint != problems.fingerprint:
            raise SettingsError(f"{self.solutions!r} solves other problems than of={self.of}; set of to those that it solves")
        answers = answered(chain, data, self.instruction, self.policy, self.generate)
        tests = gather_tests(chain.run, problems, GeneratedTests(generations=answers.location.uri), self.outcomes.most_tests)
        return run_written_tests(chain.run, problems, solutions, tests, self.outcomes)


class PairsStep(CodeStep):
    """Make preferences and answers to imitate."""

    gives: ClassVar[str] = "pairs"
    reads: ClassVar[Mapping[str, str]] = {"timings": "timings", "outcomes": "outcomes"}

    kind: Literal["pairs"] = identity("pairs", "make preferences and answers to imitate of timed programs")
    timings: str = source(..., "the step that timed the programs")
    outcomes: str | None = source(None, "strategy codedpo: the step whose written tests score the programs")
    pairs: MakePairsSettings = section(MakePairsSettings(), "what is made")

    @model_validator(mode="after")
    def _has_tests(self) -> PairsStep:
        self.pairs.require_tests(self.outcomes is not None, "outcomes, a step of kind written_tests")
        return self

    def make(self, chain: Chain) -> Artifact:
        timings = chain.made[self.timings]
        outcomes = None if self.outcomes is None else chain.made[self.outcomes]
        return pair_programs(chain.run, before(timings, "problems"), before(timings, "verdicts"), timings, self.pairs, outcomes)


class CompareCodeStep(CodeStep):
    """Put models side by side: how much of what they wrote is right, and how fast that is."""

    gives: ClassVar[str] = "code_comparison"
    reads: ClassVar[Mapping[str, str]] = {"timings": "timings", "baseline": "timings"}

    kind: Literal["compare_code"] = identity("compare_code", "compare models by their programs")
    timings: tuple[str, ...] = source(..., "the steps that timed the models' programs, of the same problems", min_length=2)
    baseline: str = source(..., "the one of them that the others are held against")
    benchmark: str = identity("held out", "what the problems are called")

    def make(self, chain: Chain) -> Artifact:
        models = dict.fromkeys((*self.timings, self.baseline))
        return compare_code(chain.run, {name: chain.made[name] for name in models}, self.baseline, self.benchmark)


def answered(chain: Chain, problems: ProblemFile | GeneratedProblems, instruction: str, policy: str, how: AnswerSettings) -> Artifact:
    """What a policy answers to each problem."""
    chats = prepare_chats(chain.run, ProblemChats(problems=problems, instruction=instruction, eval_share=0.0, distinct=False))
    settings = GenerateSettings(split="train", **{name: getattr(how, name) for name in AnswerSettings.model_fields})
    return generate(chain.run, chats, chain.policy(policy), settings)


def before(artifact: Artifact, name: str) -> Artifact:
    """An input that an artifact was made of."""
    given: Mapping[str, Any] = artifact.manifest["inputs"][name]
    return load(given["uri"], name)
