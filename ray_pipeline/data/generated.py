"""The generated misconception data as a retrieval data set: one query a (question, wrong answer), one document a label."""

from __future__ import annotations

import pyarrow as pa

from ray_pipeline.data.dataset import RetrievalDataset, build_dataset
from ray_pipeline.data.eedi import EEDI_TEMPLATE, check_template
from ray_pipeline.data.misconceptions import GeneratorSpec, corpus_labels, generate
from ray_pipeline.schemas import QRELS, QUERIES


def generate_dataset(spec: GeneratorSpec, query_template: str = EEDI_TEMPLATE) -> RetrievalDataset:
    """`spec.rows` rows; `query_template` fills in {subject}, {construct}, {question}, {correct} and {wrong}."""
    check_template(query_template)
    queries, qrels = [], []
    for batch in generate(spec):
        rows = pa.Table.from_batches([batch])
        texts = [
            query_template.format(subject=subject, construct=construct, question=question, correct=correct, wrong=wrong)
            for subject, construct, question, correct, wrong in zip(
                *(rows.column(name).to_pylist() for name in ("subject", "construct", "question", "correct_answer", "wrong_answer")), strict=True
            )
        ]
        columns = [rows.column("row_id"), texts, rows.column("question_id"), rows.column("reasoning"), rows.column("split")]
        queries.append(pa.table(columns, schema=QUERIES))
        labelled = rows.filter(rows.column("label_id").is_valid())
        grades = pa.array([1] * labelled.num_rows, pa.int32())
        qrels.append(pa.table([labelled.column("row_id"), labelled.column("label_id"), grades], schema=QRELS))
    return build_dataset(corpus_labels(), pa.concat_tables(queries), pa.concat_tables(qrels), "generated misconceptions")
