"""Stage `data`: read or generate a data set, split it, write it as every later stage wants it."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from ray_pipeline.artifacts import Attempt, Input
from ray_pipeline.config import Settings, identity, section, source
from ray_pipeline.data.dataset import RetrievalDataset, build_dataset
from ray_pipeline.data.eedi import EEDI_TEMPLATE
from ray_pipeline.data.generated import generate_dataset
from ray_pipeline.data.misconceptions import GeneratorSpec
from ray_pipeline.data.partition import fold_dataset, shuffle_dataset, split_dataset, train_on_all, tuning_dataset
from ray_pipeline.data.prepared import PreparedData, split_names, write_prepared
from ray_pipeline.data.reasoning import join_reasoning
from ray_pipeline.data.registry import read_dataset
from ray_pipeline.errors import DataError
from ray_pipeline.pipelines.stage import Outcome, Run, Stage
from ray_pipeline.storage import Location

ALGORITHM = 1


class GivenSplit(Settings):
    kind: Literal["given"] = identity("given", "as the data says; where it says nothing, every judged query is evaluated")


class GroupSplit(Settings):
    kind: Literal["group"] = identity("group", "a share of the groups (questions, papers) is evaluated, the rest trains")
    eval_share: float = identity(0.2, "share of the labelled queries to evaluate", gt=0, lt=1)
    seed: int = identity(42, "decides, with each group's id, its side")
    stratify: bool = identity(False, "keep the proportions of the labels, as far as whole groups allow")


class ShuffledSplit(Settings):
    kind: Literal["shuffled"] = identity("shuffled", "as notebooks split: sorted groups shuffled by numpy, the first share evaluated")
    eval_share: float = identity(0.2, "share of the groups to evaluate", gt=0, lt=1)
    seed: int = identity(42, "of numpy's generator")


class FoldSplit(Settings):
    kind: Literal["folds"] = identity("folds", "k folds of whole groups: one is evaluated, the others train")
    folds: int = identity(5, "how many folds", ge=2)
    fold: int = identity(0, "which fold is evaluated", ge=0)
    seed: int = identity(42, "decides, with each group's id, its fold")
    stratify: bool = identity(False, "keep the proportions of the labels, as far as whole groups allow")

    @model_validator(mode="after")
    def _fold_exists(self) -> FoldSplit:
        if self.fold >= self.folds:
            raise ValueError(f"fold={self.fold} of {self.folds} folds; they count from 0")
        return self


class TrainSplit(Settings):
    kind: Literal["train"] = identity("train", "every judged query trains, none is evaluated (a submission)")


class Tuning(Settings):
    """Settings are chosen on the training side alone: what the split evaluates is taken out, a fold of the rest is evaluated."""

    folds: int = identity(4, "how many folds of the training groups", ge=2)
    fold: int = identity(0, "which of them is evaluated", ge=0)
    seed: int = identity(0, "decides, with each group's id, its fold")


Reasoning = Literal["aside", "join"]
REASONING_HELP = "join: every query together with its chain of thought (the stage qcot); refused where the data has none"
Split = Annotated[GivenSplit | GroupSplit | ShuffledSplit | FoldSplit | TrainSplit, Field(discriminator="kind")]


class FileData(Settings):
    kind: Literal["files"] = identity("files", "read from files")
    format: str = identity(..., "how the files are laid out: a name from ray_pipeline/data/registry.py")
    path: str = source(..., "file or folder; any URI that pyarrow.fs opens")
    columns: dict[str, str] = identity({}, "which column of the files is which of ours, e.g. {query: question, positive: answer}")
    options: dict[str, Any] = identity({}, "the reader's own options")
    split: Split = section(GivenSplit(), "what is trained on and what is evaluated")
    reasoning: Reasoning = identity("aside", REASONING_HELP)
    tuning: Tuning | None = section(None, "choose settings without the split's evaluation side: a fold of the training side stands in for it")


class GeneratedData(Settings):
    kind: Literal["misconceptions"] = identity("misconceptions", "generated: wrong answers and the misconceptions behind them")
    rows: int = identity(4000, "how many (question, wrong answer) pairs", ge=1)
    seed: int = identity(0, "the same seed gives the same rows", ge=0)
    unlabelled_share: float = identity(0.2, "share of rows without a label", ge=0, lt=1)
    unseen_labels: int = identity(80, "labels that only evaluation rows have", ge=0)
    eval_share: float = identity(0.15, "share of the labelled rows to evaluate, from question templates held out", ge=0, lt=1)
    query_template: str = identity(EEDI_TEMPLATE, "a query's text, from subject, construct, question, correct and wrong")
    reasoning: Reasoning = identity("aside", REASONING_HELP)
    tuning: Tuning | None = section(None, "choose settings without the split's evaluation side: a fold of the training side stands in for it")

    def spec(self) -> GeneratorSpec:
        return GeneratorSpec(self.rows, self.seed, self.unlabelled_share, self.unseen_labels, self.eval_share)


Data = Annotated[FileData | GeneratedData, Field(discriminator="kind")]


def prepare(run: Run, data: FileData | GeneratedData) -> PreparedData:
    """The prepared data set, read or generated at most once."""
    inputs = {"files": raw_input(data.path, "data.path")} if isinstance(data, FileData) else {}
    stage = Stage("data", ALGORITHM, {"data": data}, inputs)

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        dataset = _read(data) if isinstance(data, FileData) else generate_dataset(data.spec(), data.query_template)
        if data.tuning is not None:
            dataset = tuning_dataset(dataset, data.tuning.folds, data.tuning.fold, data.tuning.seed)
        left_out = {}
        if data.reasoning == "join":
            dataset, left_out["queries_without_reasoning"] = with_reasoning(dataset)
        counts = write_prepared(attempt, dataset)
        return Outcome(dataset.corpus.num_rows, {**dataset.report.to_json(), **left_out, "splits": counts})

    return PreparedData(run.ensure(stage, build))


def with_reasoning(dataset: RetrievalDataset) -> tuple[RetrievalDataset, int]:
    """Every query joined with its chain of thought. One of a split that has none is an error; those in no split that have
    none are left out, and counted."""
    queries = dataset.queries
    thoughts = queries.column("reasoning")
    has = pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(thoughts), ""), False)
    kept = pc.or_(has, pa.array(split_names(dataset) != "rest"))
    chosen = queries.filter(kept)
    given = None if not pc.any(has).as_py() else chosen.column("reasoning").combine_chunks()
    texts = join_reasoning(chosen.column("query_id").combine_chunks(), chosen.column("text").combine_chunks(), given)
    joined = chosen.set_column(chosen.schema.get_field_index("text"), "text", texts)
    qrels = dataset.qrels.filter(pc.is_in(dataset.qrels.column("query_id"), value_set=joined.column("query_id").combine_chunks()))
    surrogates = dataset.report.replaced_surrogates
    found = build_dataset(dataset.corpus, joined, qrels, "queries joined with their reasoning", replaced_surrogates=surrogates)
    return found, queries.num_rows - joined.num_rows


def raw_input(path: str, key: str) -> Input:
    """A file, or all files of a folder, known by the hash of their content; `key` is the setting that names it."""
    place = Location.of(path)
    if not place.exists():
        raise DataError(f"{key}={path}: nothing is there (looked at {place.uri})")
    base = place.open()[1]
    names = {posixpath.relpath(file.open()[1], base): file for file, _ in place.files()} or {"": place}
    digest = hashlib.sha256()
    for name in sorted(names):  # names within the folder: how its path is spelled does not count
        digest.update(f"{name}\0{names[name].sha256()[0]}\n".encode())
    return Input(digest.hexdigest(), place.uri, "file")


def _read(data: FileData) -> RetrievalDataset:
    options = data.options | ({"columns": data.columns} if data.columns else {})
    dataset = read_dataset(data.format, data.path, options)
    if isinstance(data.split, GroupSplit):
        return split_dataset(dataset, data.split.eval_share, data.split.seed, stratified=data.split.stratify)
    if isinstance(data.split, ShuffledSplit):
        return shuffle_dataset(dataset, data.split.eval_share, data.split.seed)
    if isinstance(data.split, TrainSplit):
        return train_on_all(dataset)
    if isinstance(data.split, FoldSplit):
        return fold_dataset(dataset, data.split.folds, data.split.fold, data.split.seed, stratified=data.split.stratify)
    return dataset
