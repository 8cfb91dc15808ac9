"""The kinds of steps a pipeline is made of. A new kind is one class here: its settings, and `make`, which does it.

A step names the earlier steps whose artifacts it reads. `reads` says which of its fields are such names and what the step
they name must give; `gives` says what it gives itself. `plan` checks all of this before anything runs.

`data` and `embedder` hold what differs from the pipeline's own `data` and `model`; they are checked like these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from ray_pipeline.artifacts import Artifact
from ray_pipeline.config import Settings, identity, layered, parse, section, source
from ray_pipeline.data.prepared import Split
from ray_pipeline.pipelines.chain import BASE, Chain, PipelineChainSettings
from ray_pipeline.pipelines.code_steps import CompareCodeStep, JudgeStep, PairsStep, SolutionsStep, SolveStep, TimeStep, WrittenTestsStep
from ray_pipeline.pipelines.compare import compare_evaluations
from ray_pipeline.pipelines.evaluate import EvaluateSettings, evaluate
from ray_pipeline.pipelines.merge import MergeSettings, merge_model
from ray_pipeline.pipelines.mine import MiningSettings, mine_groups
from ray_pipeline.pipelines.policy_steps import DpoStep, GrpoStep, SftStep
from ray_pipeline.pipelines.prepare import prepare
from ray_pipeline.pipelines.pseudo_labels import DEPTH, UNLABELLED, label_unlabelled, require_unlabelled
from ray_pipeline.pipelines.publish import PublishSettings, index_corpus
from ray_pipeline.pipelines.rerank import RerankSettings, rerank
from ray_pipeline.pipelines.retrieve import RetrievalSettings, Retrieved, retrieve
from ray_pipeline.pipelines.score import score_groups
from ray_pipeline.pipelines.train_embedder import TrainingInputs, train_embedder, trained_model
from ray_pipeline.pipelines.train_reranker import RerankerInputs, begun_with, train_reranker
from ray_pipeline.retrieval.pseudo_labels import PseudoLabelSettings
from ray_pipeline.retrieval.score import ScoreSettings
from ray_pipeline.tasks.embedder_settings import EmbedderTraining
from ray_pipeline.tasks.reranker_settings import RerankerTraining
from ray_pipeline.tasks.rows import RowSettings


class ModelStep(Settings):
    """A step that uses a model on the data."""

    gives: ClassVar[str]
    reads: ClassVar[Mapping[str, str]]

    model: str = source(BASE, "base (the pipeline's own model), or the step whose model is used")
    embedder: dict[str, Any] = identity({}, "settings of `model` that differ in this step, e.g. {layers: 3}; for model=base")
    data: dict[str, Any] = identity({}, "settings of `data` that differ in this step, e.g. {reasoning: join}")

    def own(self, chain: Chain) -> PipelineChainSettings:
        """The pipeline's settings as this step has them: its data, and the model it uses."""
        given = changed(chain.settings, self)
        model = given.model if self.model == BASE else trained_model(chain.made[self.model], chain.settings.model)
        return given.model_copy(update={"model": model})

    def retrieved(self, chain: Chain, split: Split, k: int | None, depth: int = 0) -> tuple[Retrieved, RetrievalSettings]:
        """The ranking of a split's queries by the step's model, `k` deep where the step says so."""
        own = self.own(chain)
        search = own.search if k is None else own.search.model_copy(update={"k": k})
        settings = RetrievalSettings(data=own.data, model=own.model, embed=own.embed, search=search, split=split)
        return retrieve(chain.run, settings, depth=depth), settings


class TrainEmbedderStep(ModelStep):
    """Train an embedder. It is evaluated on the pipeline's own data, whatever it trains on, so that steps compare."""

    gives: ClassVar[str] = "model"
    reads: ClassVar[Mapping[str, str]] = {"model": "model", "groups": "groups", "pseudo": "pseudo_labels"}

    kind: Literal["train_embedder"] = identity("train_embedder", "train an embedder")
    groups: str | None = source(None, "the step whose mined negatives are trained on; null: the judgements alone")
    pseudo: str | None = source(None, "the step whose pseudo labels are trained on too")
    training: EmbedderTraining = section(EmbedderTraining(), "how")
    rows: RowSettings = section(RowSettings(), "which rows are trained and evaluated on")

    def make(self, chain: Chain) -> Artifact:
        own = self.own(chain)
        data = prepare(chain.run, own.data)
        plain = prepare(chain.run, chain.settings.data)
        groups, pseudo = (None if name is None else chain.made[name] for name in (self.groups, self.pseudo))
        inputs = TrainingInputs(data, groups, pseudo, evaluation=None if plain.artifact.fingerprint == data.artifact.fingerprint else plain)
        return train_embedder(chain.run, inputs, own.model, self.training, self.rows)


class MineStep(ModelStep):
    """Mine hard negatives."""

    gives: ClassVar[str] = "groups"
    reads: ClassVar[Mapping[str, str]] = {"model": "model"}

    kind: Literal["mine"] = identity("mine", "mine hard negatives")
    split: Split = identity("train", "whose queries")
    k: int | None = identity(None, "documents to search for each query; null: as search.k", ge=1)
    mining: MiningSettings = section(MiningSettings(), "which negatives, and in what forms")

    def make(self, chain: Chain) -> Artifact:
        found, _ = self.retrieved(chain, self.split, self.k, self.mining.depth)
        return mine_groups(chain.run, found, self.mining)


class PseudoLabelStep(ModelStep):
    """Let a model label the queries that have no label."""

    gives: ClassVar[str] = "pseudo_labels"
    reads: ClassVar[Mapping[str, str]] = {"model": "model"}

    kind: Literal["pseudo_labels"] = identity("pseudo_labels", "label unlabelled queries")
    labels: PseudoLabelSettings = section(PseudoLabelSettings(), "which of the model's answers count")

    def make(self, chain: Chain) -> Artifact:
        require_unlabelled(prepare(chain.run, self.own(chain).data))
        found, _ = self.retrieved(chain, UNLABELLED, DEPTH)
        return label_unlabelled(chain.run, found, self.labels)


class EvaluateStep(ModelStep):
    """Measure a model's retrieval."""

    gives: ClassVar[str] = "evaluation"
    reads: ClassVar[Mapping[str, str]] = {"model": "model", "against": "evaluation", "rerankers": "reranker"}

    kind: Literal["evaluate"] = identity("evaluate", "measure retrieval")
    split: Split = identity("eval", "whose queries")
    k: int | None = identity(None, "documents to search for each query; null: as search.k", ge=1)
    evaluate: EvaluateSettings = section(EvaluateSettings(), "what is measured, and against what")
    against: str | None = source(None, "the evaluating step that this one is shown beside, with a paired interval")
    rerankers: tuple[str, ...] = source((), "steps whose rerankers put the best candidates in order first; base: the pipeline's own")
    rerank: RerankSettings = section(RerankSettings(), "how many candidates, and how several rerankers become one order")

    def make(self, chain: Chain) -> Artifact:
        found, settings = self.retrieved(chain, self.split, self.k, self.rerank.depth if self.rerankers else 0)
        if self.rerankers:
            found = rerank(chain.run, found, [chain.reranker(name) for name in self.rerankers], self.rerank)
        return evaluate(chain.run, found, settings, self.evaluate, chain.command)


class CompareStep(Settings):
    """Put evaluations side by side, on a page of their own."""

    gives: ClassVar[str] = "comparison"
    reads: ClassVar[Mapping[str, str]] = {"evaluations": "evaluation"}

    kind: Literal["compare"] = identity("compare", "put evaluations side by side")
    evaluations: tuple[str, ...] = source(..., "the evaluating steps; each is compared with every one before it", min_length=2)

    def make(self, chain: Chain) -> Artifact:
        return compare_evaluations(chain.run, {name: chain.made[name] for name in self.evaluations})


class TrainRerankerStep(ModelStep):
    """Train a reranker; the model of `model` finds the candidates that it is evaluated on."""

    gives: ClassVar[str] = "reranker"
    reads: ClassVar[Mapping[str, str]] = {"model": "model", "groups": "groups", "reranker": "reranker", "begins_with": "model"}

    kind: Literal["train_reranker"] = identity("train_reranker", "train a reranker")
    groups: str = source(..., "the step whose groups are its lists")
    reranker: str = source(BASE, "base (the pipeline's own reranker), or the step whose reranker is trained on")
    begins_with: str | None = source(None, "the step whose embedder a classifier begins with, instead of the base model's weights")
    training: RerankerTraining = section(RerankerTraining(), "how")
    rows: RowSettings = section(RowSettings(), "which rows are trained and evaluated on")

    @model_validator(mode="after")
    def _one_beginning(self) -> TrainRerankerStep:
        if self.begins_with is not None and self.reranker != BASE:
            raise ValueError(f"begins with {self.begins_with!r} and with {self.reranker!r}: drop begins_with or reranker")
        return self

    def make(self, chain: Chain) -> Artifact:
        data, candidates = prepare(chain.run, self.own(chain).data), None
        if self.training.train.evaluation is not None:
            found, _ = self.retrieved(chain, self.rows.eval_split, None, self.training.candidates)
            candidates = found.ranking
        inputs = RerankerInputs(data, chain.made[self.groups], candidates)
        base = chain.reranker(self.reranker)
        if self.begins_with is not None:
            base = begun_with(chain.made[self.begins_with], base)
        return train_reranker(chain.run, inputs, base, self.training, self.rows)


class ScoreStep(Settings):
    """Let a reranker score mined groups: a teacher's scores."""

    gives: ClassVar[str] = "groups"
    reads: ClassVar[Mapping[str, str]] = {"groups": "groups", "reranker": "reranker"}

    kind: Literal["score"] = identity("score", "add a reranker's scores to groups")
    groups: str = source(..., "the step whose groups are scored")
    reranker: str = source(BASE, "base (the pipeline's own reranker), or the step whose reranker scores")
    score: ScoreSettings = section(ScoreSettings(), "how pairs are cut into shards and batches")

    def make(self, chain: Chain) -> Artifact:
        return score_groups(chain.run, chain.made[self.groups], chain.reranker(self.reranker), self.score)


class IndexStep(ModelStep, PublishSettings):
    """Index the documents, and publish them as a version of a collection."""

    gives: ClassVar[str] = "index"
    reads: ClassVar[Mapping[str, str]] = {"model": "model", "reranker": "reranker"}

    kind: Literal["index"] = identity("index", "index the documents for a service")
    reranker: str | None = source(None, "the step whose reranker services put results in order with; null: none")

    def make(self, chain: Chain) -> Artifact:
        own = self.own(chain)
        publishing = PublishSettings(**{name: getattr(self, name) for name in PublishSettings.model_fields})
        reranker = None if self.reranker is None else chain.made[self.reranker].location.uri
        return index_corpus(chain.run, prepare(chain.run, own.data), own.model, own.embed, publishing, reranker).index


class MergeStep(Settings):
    """Make a model of another moment of a training."""

    gives: ClassVar[str] = "model"
    reads: ClassVar[Mapping[str, str]] = {"model": "model"}

    kind: Literal["merge"] = identity("merge", "make a model of a kept checkpoint")
    model: str = source(..., "the training step")
    merge: MergeSettings = section(MergeSettings(), "which checkpoint, and in what form")

    def make(self, chain: Chain) -> Artifact:
        return merge_model(chain.run, chain.made[self.model], self.merge)


class MergeRerankerStep(MergeStep):
    """The same of a reranker's training."""

    gives: ClassVar[str] = "reranker"
    reads: ClassVar[Mapping[str, str]] = {"model": "reranker"}

    kind: Literal["merge_reranker"] = identity("merge_reranker", "make a reranker of a kept checkpoint")  # type: ignore[assignment]


Step = Annotated[
    TrainEmbedderStep
    | MineStep
    | PseudoLabelStep
    | EvaluateStep
    | CompareStep
    | TrainRerankerStep
    | ScoreStep
    | IndexStep
    | MergeStep
    | MergeRerankerStep
    | SftStep
    | DpoStep
    | GrpoStep
    | SolveStep
    | SolutionsStep
    | JudgeStep
    | TimeStep
    | WrittenTestsStep
    | PairsStep
    | CompareCodeStep,
    Field(discriminator="kind"),
]


def changed(settings: PipelineChainSettings, step: ModelStep) -> PipelineChainSettings:
    """The settings with what the step says of its data and of the base model."""
    if not step.data and not step.embedder:
        return settings
    own = {name: getattr(settings, name) for name in PipelineChainSettings.model_fields}
    values = {name: value.model_dump(mode="json") for name, value in own.items() if value is not None}
    return parse(PipelineChainSettings, layered(values, {"data": step.data, "model": step.embedder}))


def named(step: Step) -> list[tuple[str, str]]:
    """The names that this step reads: the field, the name."""
    given = [(name, getattr(step, name)) for name in step.reads]
    return [(name, one) for name, value in given for one in (value if isinstance(value, tuple) else (value,)) if one is not None]


def uses(step: Step) -> list[tuple[str, str]]:
    """The steps that this one reads: the field, the name. The base models are none."""
    return [(name, one) for name, one in named(step) if one != BASE]
