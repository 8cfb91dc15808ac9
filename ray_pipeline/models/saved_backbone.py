"""A backbone and its tokenizer in a folder, as transformers lays them out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Final

from ray_pipeline.models.held_weights import DTYPES, Precision

_TOKENIZER_FILES: Final = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt", "vocab.json"),
    *("merges.txt", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model", "chat_template.jinja"),
)


def write_backbone(backbone: Any, folder: Path, precision: Precision) -> None:
    """`config.json` and the weights, stored in `precision`."""
    state = backbone.state_dict()
    stored = {name: value.to(DTYPES[precision]) if value.is_floating_point() else value for name, value in state.items()}
    backbone.save_pretrained(str(folder), state_dict=stored)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config.pop("_name_or_path", None)  # a path on this machine
    write_json(folder / "config.json", config)


def copy_tokenizer(base: Path, folder: Path) -> None:
    """The base's tokenizer, file by file."""
    for name in _TOKENIZER_FILES:
        if (base / name).exists():
            shutil.copyfile(base / name, folder / name)


def write_json(file: Path, value: Any) -> None:
    file.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
