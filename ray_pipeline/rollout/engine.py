"""A vLLM engine: prompts as tokens in, answers as tokens out.

What was generated as tokens stays tokens: nothing is decoded and encoded again on the way to a reward or a training. One engine a process;
asked for again with the same model, it is the same.

Trap: serving a model under one name and training another is how an adapter "does nothing". So an engine is asked for the log-likelihoods of a
few sequences that the trained model was measured on when it was exported (`ray_pipeline.json`, `probe`), and refused if they are others.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ray_pipeline.errors import ModelError
from ray_pipeline.models.policy.probe import Probe, probe_of
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.source import locate
from ray_pipeline.rollout.settings import EngineSettings, SamplingSettings

_DTYPES: Final = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
_PROBE_ERROR: Final = {"fp32": 0.02, "bf16": 0.15, "fp16": 0.05}  # of a mean log-likelihood, which another model misses by far


@dataclass(frozen=True)
class Answer:
    """What was drawn for a prompt."""

    ids: tuple[int, ...]
    text: str
    logprobs: tuple[float, ...] | None
    finished: bool  # it ended by itself; else it was cut off


class Engine:
    """One model, ready to write."""

    def __init__(self, model: PolicySettings, settings: EngineSettings, device: str) -> None:
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
        if device == "cpu":
            os.environ["VLLM_CPU_KVCACHE_SPACE"] = str(settings.kv_cache_gb)
        logging.getLogger("vllm").setLevel(logging.WARNING)
        from vllm import LLM  # seconds to import, so only where text is generated

        files = locate(model.name, model.revision)
        more = {} if settings.max_length is None else {"max_model_len": settings.max_length}
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
        found = probe_of(files.folder)
        if found is not None:
            self._check(found, model, str(files.folder))

    def generate(self, prompts: Sequence[Sequence[int]], sampling: SamplingSettings, first: int = 0) -> list[list[Answer]]:
        """The answers to each prompt. `first`: the place of the first prompt among all, which decides its draws."""
        from vllm import SamplingParams, TokensPrompt

        asked = [
            SamplingParams(
                n=sampling.samples,
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                max_tokens=sampling.max_tokens,
                stop=list(sampling.stop) or None,
                seed=None if sampling.temperature == 0 else _seed(sampling.seed, first + place),
                logprobs=0 if sampling.logprobs else None,
            )
            for place in range(len(prompts))
        ]
        given = [TokensPrompt(prompt_token_ids=list(ids)) for ids in prompts]
        found = self._llm.generate(given, asked, use_tqdm=False)
        return [[_answer(one) for one in output.outputs] for output in found]

    def mean_likelihood(self, ids: Sequence[int]) -> float:
        """Of the tokens behind the first."""
        from vllm import SamplingParams, TokensPrompt

        (found,) = self._llm.generate([TokensPrompt(prompt_token_ids=list(ids))], SamplingParams(max_tokens=1, prompt_logprobs=0), use_tqdm=False)
        return float(np.mean([step[token].logprob for step, token in zip(found.prompt_logprobs[1:], ids[1:], strict=True)]))

    def close(self) -> None:
        """End the engine's own process."""
        self._llm.llm_engine.engine_core.shutdown()

    def _check(self, probe: Probe, model: PolicySettings, where: str) -> None:
        for ids, expected in zip(probe.ids, probe.means, strict=True):
            found = self.mean_likelihood(ids)
            if not abs(found - expected) <= _PROBE_ERROR[model.precision]:
                raise ModelError(
                    f"{where}: vLLM finds a token of a sequence it was exported with likely by {found:.3f}, the trained model by {expected:.3f}: "
                    "these are not the trained weights; export the model again, or look whether vLLM supports this kind of model"
                )


_held: dict[str, Engine] = {}


def engine_of(model: PolicySettings, settings: EngineSettings, device: str) -> Engine:
    """This process's engine; one of another model is ended first."""
    key = "\0".join((locate(model.name, model.revision).fingerprint, model.model_dump_json(), settings.model_dump_json(), device))
    if key not in _held:
        for other in _held.values():
            other.close()
        _held.clear()
        _held[key] = Engine(model, settings, device)
    return _held[key]


def _seed(seed: int, place: int) -> int:
    return int(np.random.SeedSequence([seed, place]).generate_state(1)[0]) & 0x7FFFFFFF


def _answer(output: Any) -> Answer:
    ids = tuple(output.token_ids)
    drawn = None if output.logprobs is None else tuple(step[token].logprob for step, token in zip(output.logprobs, ids, strict=True))
    return Answer(ids, output.text, drawn, output.finish_reason == "stop")
