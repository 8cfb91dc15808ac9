"""A vLLM engine: prompts as tokens in, answers as tokens out.

What was generated as tokens stays tokens: nothing is decoded and encoded again on the way to a reward or a training. One engine a process;
asked for again with the same model, it is the same.

Trap: serving a model under one name and training another is how an adapter "does nothing". So an engine is asked for the log-likelihoods of a
few sequences that the trained model was measured on when it was exported (`ray_pipeline.json`, `probe`), and refused if they are others.
An adapter is asked for them in the same way; one from elsewhere, which has no probe, must change at least something.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ray_pipeline.errors import ModelError, SettingsError
from ray_pipeline.models.policy.probe import Probe, probe_of
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.source import locate
from ray_pipeline.rollout.adapter import AdapterFiles
from ray_pipeline.rollout.settings import EngineSettings, SamplingSettings
from ray_pipeline.rollout.writer import Answer, LetGo, Request, Writer

if TYPE_CHECKING:
    from vllm import SamplingParams
    from vllm.lora.request import LoRARequest

_DTYPES: Final = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
_PROBE_ERROR: Final = {"fp32": 0.02, "bf16": 0.15, "fp16": 0.05}  # of a mean log-likelihood, which another model misses by far

_STEP: Final = 4096  # tokens of a step, as vLLM has it where prompts may be cut

_ANY: Final = tuple(range(1, 17))  # tokens, whatever they mean


class Engine(Writer):
    """One model, ready to write. `adapter_rank`: room for adapters of up to this rank; `takes_weights`: its weights may be replaced."""

    def __init__(
        self, model: PolicySettings, settings: EngineSettings, device: str, adapter_rank: int | None = None, *, takes_weights: bool = False
    ) -> None:
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")  # its warnings are about its own insides, some twenty at every start
        if device == "cpu":
            os.environ["VLLM_CPU_KVCACHE_SPACE"] = str(settings.kv_cache_gb)
        logging.getLogger("vllm").setLevel(os.environ["VLLM_LOGGING_LEVEL"])
        from vllm import LLM  # seconds to import, so only where text is generated

        files = locate(model.name, model.revision)
        more: dict[str, Any] = {} if settings.max_length is None else {"max_model_len": settings.max_length}
        if device == "cpu":
            more |= _whole_prompts(files.folder, settings)
        if adapter_rank is not None:
            more |= {"enable_lora": True, "max_lora_rank": adapter_rank, "max_loras": 1}
        if takes_weights:
            more |= {"worker_extension_cls": "ray_pipeline.rollout.worker.TakesWeights"}
        self._sleeps = takes_weights and settings.sleeps
        if self._sleeps:
            if device != "cuda":
                raise SettingsError(f"engine.sleeps=true: an engine gives back the memory of a GPU, and this one is on {device}; leave it false")
            more |= {"enable_sleep_mode": True}
        try:
            self._llm = LLM(
                str(files.folder),
                dtype=_DTYPES[model.precision],
                enforce_eager=settings.eager,
                tensor_parallel_size=settings.tensor_parallel,
                gpu_memory_utilization=settings.memory_share,
                trust_remote_code=False,
                seed=0,
                disable_log_stats=True,
                **more,
            )
        except (ValueError, RuntimeError, OSError) as problem:
            raise ModelError(f"{files.folder}: vLLM does not start with this model: {problem}") from problem
        if takes_weights:
            self._llm.collective_rpc("end_with_parent")
        self._adapter: LoRARequest | None = None
        self._adapters = 0  # so far; vLLM knows them by number
        self._precision = model.precision
        self.version = 0  # of its weights
        self._asked = 0  # requests so far; vLLM knows them by name
        self._let_go = threading.Event()
        self.moved = time.monotonic()  # when it last wrote something: who waits for it sees whether it still does
        found = probe_of(files.folder)
        if found is not None:
            self._check(found, str(files.folder))

    def put_on(self, adapter: AdapterFiles | None) -> None:
        """From here on the model wears this adapter, or none."""
        from vllm.lora.request import LoRARequest

        self._adapter = None
        if adapter is None:
            return
        probe = adapter.probe
        bare = None if probe else self.mean_likelihood(_ANY)
        self._adapters += 1
        self._adapter = LoRARequest(f"{adapter.fingerprint}-{self._adapters}", self._adapters, str(adapter.folder))
        try:
            if probe:
                self._check(probe, str(adapter.folder))
            elif self.mean_likelihood(_ANY) == bare:
                raise ModelError(
                    f"{adapter.folder}: with this adapter vLLM's model answers as without it; merge it (jobs.merge) and name the merged model"
                )
        except ModelError:
            self._adapter = None
            raise

    def take_weights(self, file: Path, version: int) -> None:
        missing = sorted({name for worker in self._llm.collective_rpc("take_weights", args=(str(file),)) for name in worker})
        if missing:
            raise ModelError(f"{file}: says nothing of {', '.join(missing[:5])}, which the engine's model has; these are another model's weights")
        self.forget_prompts()
        self._let_go.clear()  # whatever was to be given up is over
        self.version = version

    def forget_prompts(self) -> None:
        """Drop the keys and values of earlier prompts."""
        if not self._llm.reset_prefix_cache():
            raise ModelError("the engine did not drop its cache of prompts; wait until no prompt is being answered")

    @property
    def room(self) -> int:
        """Tokens of prompt and answer together at most."""
        return int(self._llm.llm_engine.vllm_config.model_config.max_model_len)

    def answer(self, requests: Sequence[Request], sampling: SamplingSettings) -> list[list[Answer]]:
        from vllm import TokensPrompt

        engine = self._llm.llm_engine
        found: dict[int, list[Answer]] = {}
        waiting: dict[str, int] = {}
        for place, one in enumerate(requests):
            self._asked += 1
            name = str(self._asked)
            waiting[name] = place
            prompt = TokensPrompt(prompt_token_ids=list(one.ids))
            engine.add_request(name, prompt, _params(one, sampling), lora_request=self._adapter)
        self.moved = time.monotonic()
        try:
            while len(found) < len(waiting) and not self._let_go.is_set():
                for output in engine.step():
                    if output.finished:
                        found[waiting[output.request_id]] = [_answer(one) for one in output.outputs]
                self.moved = time.monotonic()
        finally:
            left = [name for name, place in waiting.items() if place not in found]
            if left:
                engine.abort_request(left)
        if left:
            self._let_go.clear()
            raise LetGo
        return [found[place] for place in range(len(requests))]

    def let_go(self) -> None:
        self._let_go.set()

    def rest(self) -> None:
        if self._sleeps:
            self._llm.sleep(level=1)  # weights go to the machine's memory, keys and values are dropped

    def wake(self) -> None:
        if self._sleeps:
            self._llm.wake_up()

    def each(self) -> Sequence[Engine]:
        return [self]

    def mean_likelihood(self, ids: Sequence[int]) -> float:
        """Of the tokens behind the first."""
        from vllm import SamplingParams, TokensPrompt

        asked = SamplingParams(max_tokens=1, prompt_logprobs=0)
        (found,) = self._llm.generate([TokensPrompt(prompt_token_ids=list(ids))], asked, use_tqdm=False, lora_request=self._adapter)
        return float(np.mean([step[token].logprob for step, token in zip(found.prompt_logprobs[1:], ids[1:], strict=True)]))

    def close(self) -> None:
        """End the engine's own process."""
        self._llm.llm_engine.engine_core.shutdown()

    def _check(self, probe: Probe, where: str) -> None:
        for ids, expected in zip(probe.ids, probe.means, strict=True):
            found = self.mean_likelihood(ids)
            if not abs(found - expected) <= _PROBE_ERROR[self._precision]:
                raise ModelError(
                    f"{where}: vLLM finds a token of a sequence it was exported with likely by {found:.3f}, the trained model by {expected:.3f}: "
                    "these are not the trained weights; export the model again, or look whether vLLM supports this kind of model"
                )


def _whole_prompts(folder: Path, settings: EngineSettings) -> dict[str, Any]:
    """Trap: vLLM on CPUs dies of a seeded draw whose prompts do not fit into one step and are cut; so none is cut."""
    longest = settings.max_length or json.loads((folder / "config.json").read_text())["max_position_embeddings"]
    return {"enable_chunked_prefill": False, "max_num_batched_tokens": max(_STEP, longest)}


_held: dict[str, Engine] = {}


def engine_of(model: PolicySettings, settings: EngineSettings, device: str, adapter_rank: int | None = None) -> Engine:
    """This process's engine; one of another model is ended first."""
    of_model = (locate(model.name, model.revision).fingerprint, model.model_dump_json())
    key = "\0".join((*of_model, settings.model_dump_json(), device, str(adapter_rank)))
    if key not in _held:
        for other in _held.values():
            other.close()
        _held.clear()
        _held[key] = Engine(model, settings, device, adapter_rank)
    return _held[key]


def release_engine() -> None:
    """End this process's engine, if it holds one."""
    for one in _held.values():
        one.close()
    _held.clear()


def _params(request: Request, sampling: SamplingSettings) -> SamplingParams:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    return SamplingParams(
        n=request.samples,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        max_tokens=request.max_tokens or sampling.max_tokens,
        stop=list(sampling.stop) or None,
        seed=request.seed,
        logprobs=0 if sampling.logprobs else None,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def _answer(output: Any) -> Answer:
    ids = tuple(output.token_ids)
    drawn = None if output.logprobs is None else tuple(step[token].logprob for step, token in zip(output.logprobs, ids, strict=True))
    return Answer(ids, output.text, drawn, output.finish_reason == "stop")
