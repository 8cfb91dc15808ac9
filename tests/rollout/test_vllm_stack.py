"""The generation stack works in this environment: a real engine, greedy tokens equal to transformers'."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch


def test_greedy_tokens_equal_transformers(vllm_engine: Any, tiny_qwen3: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from vllm import SamplingParams, TokensPrompt

    prompts = [AutoTokenizer.from_pretrained(tiny_qwen3)(text)["input_ids"] for text in ("1/2 + 1/3 =", "the pupil adds")]
    parameters = SamplingParams(temperature=0.0, max_tokens=8, ignore_eos=True, logprobs=0)
    outputs = vllm_engine.generate([TokensPrompt(prompt_token_ids=ids) for ids in prompts], parameters, use_tqdm=False)
    model = AutoModelForCausalLM.from_pretrained(tiny_qwen3, dtype=torch.float32)
    for ids, output in zip(prompts, outputs, strict=True):
        given = torch.tensor([ids])
        expected = model.generate(given, attention_mask=torch.ones_like(given), max_new_tokens=8, min_new_tokens=8, do_sample=False)
        assert list(output.outputs[0].token_ids) == expected[0, len(ids) :].tolist()
        with torch.no_grad():
            logprobs = model(expected).logits[0, len(ids) - 1 : -1].log_softmax(-1)
        taken = logprobs.gather(1, expected[0, len(ids) :, None])[:, 0]
        seen = [step[token].logprob for step, token in zip(output.outputs[0].logprobs, output.outputs[0].token_ids, strict=True)]
        assert torch.allclose(torch.tensor(seen), taken, atol=1e-4)
