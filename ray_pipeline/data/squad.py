"""SQuAD's JSON: each paragraph is a document, each of its questions a query whose one positive is that paragraph.

    {"data": [{"title": ..., "paragraphs": [{"context": ..., "qas": [{"id": ..., "question": ...}]}]}]}

Questions of one article share a group, so a split keeps the article on one side. The file is read whole: JSON that is
not in lines has no rows to stream.
"""

from __future__ import annotations

import json
from typing import Any

from ray_pipeline.data.dataset import RetrievalDataset, build_dataset
from ray_pipeline.data.files import reading
from ray_pipeline.data.located import TableBuilder
from ray_pipeline.errors import DataError
from ray_pipeline.schemas import CORPUS, QRELS, QUERIES


def read_squad(path: str) -> RetrievalDataset:
    """The data set in the file `path`."""
    corpus, queries, qrels = TableBuilder(CORPUS), TableBuilder(QUERIES), TableBuilder(QRELS)
    for at, article in enumerate(_articles(path)):
        try:
            for number, paragraph in enumerate(article["paragraphs"]):
                doc_id = f"{at:06d}-{number:04d}"
                corpus.add_at(path, at, doc_id, paragraph["context"], article.get("title"))
                for question in paragraph["qas"]:
                    queries.add_at(path, at, question["id"], question["question"], f"{at:06d}", None, None)
                    qrels.add_at(path, at, question["id"], doc_id, 1)
        except (KeyError, TypeError) as problem:
            raise DataError(f"{path}: article {at} is not SQuAD's: {type(problem).__name__} {problem}") from problem
    return build_dataset(corpus.finish(), queries.finish(), qrels.finish(), path)


def _articles(path: str) -> list[dict[str, Any]]:
    try:
        with reading(path) as stream:
            articles: list[dict[str, Any]] = json.load(stream)["data"]
    except (ValueError, KeyError, TypeError) as problem:
        raise DataError(f"{path}: not a SQuAD file ({type(problem).__name__}: {problem}); it has a list under 'data'") from problem
    return articles
