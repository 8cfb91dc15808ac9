"""A trained policy as a folder that transformers and vLLM load, with the same logits.

    config.json, model.safetensors   the decoder, adapters merged in
    tokenizer.json, ...              the base's files; chat_template.jinja is the template it was trained in, where that is not the base's
    ray_pipeline.json                the base and its fingerprint, the options of its template, a probe of its weights; facts of the training
    README.md                        the model card

Trap: a decoder is trained without a cache of keys and values, which is written into its configuration; generation without one takes
hours instead of minutes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ray_pipeline.models.adapter_files import base_record
from ray_pipeline.models.adapters import is_adapted
from ray_pipeline.models.card_sections import ModelFacts, ending, front_matter, training_data
from ray_pipeline.models.held_weights import Precision
from ray_pipeline.models.merge import merge
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.models.policy.probe import measured_probe
from ray_pipeline.models.policy.tokenizer import template_text
from ray_pipeline.models.record import FORMAT, RECORD
from ray_pipeline.models.saved_backbone import copy_tokenizer, write_backbone, write_json
from ray_pipeline.models.whole_folder import written_whole

_KIND: Final = {"library_name": "transformers", "pipeline_tag": "text-generation"}


def export_policy(policy: Policy, folder: Path, facts: ModelFacts | None = None, precision: Precision = "fp32") -> None:
    """Write the model, all of it or nothing; `policy` stays as it is. `precision` is that of the stored weights."""
    plain = merge(policy) if is_adapted(policy) else policy
    given, base = facts or ModelFacts(), base_record(policy)
    trained_with = {"template_options": policy.settings.template_options}
    probe = measured_probe(plain).to_json()
    with written_whole(folder) as partial:
        write_backbone(plain.backbone, partial, precision)
        _let_it_cache(partial)
        copy_tokenizer(policy.files.folder, partial)
        if policy.settings.template is not None:
            (partial / "chat_template.jinja").write_text(template_text(policy.settings.template), encoding="utf-8")
        record = {"format": FORMAT, "role": "policy", "trained_with": trained_with, "base": base, "training": dict(given.training), "probe": probe}
        write_json(partial / RECORD, record)
        (partial / "README.md").write_text(_card(given, trained_with, base), encoding="utf-8")


def _let_it_cache(folder: Path) -> None:
    for name in ("config.json", "generation_config.json"):
        file = folder / name
        if file.exists():
            write_json(file, {**json.loads(file.read_text(encoding="utf-8")), "use_cache": True})


def _card(facts: ModelFacts, trained_with: Mapping[str, Any], base: Mapping[str, str | None]) -> str:
    options = trained_with["template_options"]
    rendered = "".join(f", {name}={value!r}" for name, value in options.items())
    use = [
        "```python",
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        'folder = "path/to/this/folder"',
        "tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)",
        'messages = [{"role": "user", "content": "a question"}]',
        f'given = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True, return_tensors="pt"{rendered})',
        'print(tokenizer.decode(model.generate(**given, max_new_tokens=256)[0, given["input_ids"].shape[1]:]))',
        "```",
        "",
        "The same folder is what vLLM takes: `vllm serve path/to/this/folder`.",
    ]
    sections = [
        front_matter(_KIND, facts, base),
        f"# {facts.title or 'A language model'}",
        f"Made from `{base['name']}` ({base['revision']}) with ray_pipeline.",
        *training_data(facts),
        "## Use",
        "\n".join(use),
        *ending(facts, dict(trained_with)),
    ]
    return "\n\n".join(sections) + "\n"
