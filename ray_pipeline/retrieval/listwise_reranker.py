"""A decoder that is shown a query with many documents at once and says in which order they belong.

`letters` reads the logits of the letters behind the documents as the first word of the answer; `windows` lets the model write the
numbers in order (greedily, so the same question gets the same answer). More documents than a window holds are ordered by sliding
it (`listwise.py`). The scores are places: how many documents stand behind each.

The question goes through the model's own chat template, where it has one. A document that is too long loses its end, so that a window
fits `max_length`; the question itself is never cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ray_pipeline.errors import ModelError
from ray_pipeline.models.backbone import load_backbone, positions
from ray_pipeline.models.held_weights import Weights
from ray_pipeline.models.reranker_settings import RerankerSettings
from ray_pipeline.models.source import locate
from ray_pipeline.retrieval.listwise import scores_by_place, slid
from ray_pipeline.text.listwise_prompts import LETTERS, lettered_question, numbered_question, order_of

_TOKENS_A_NUMBER = 6  # of an answer: brackets, up to three digits, a sign and spaces
DEFAULT_LENGTH = 4096


class ListwiseReranker:
    """The model on one device."""

    def __init__(self, settings: RerankerSettings, device: str = "cpu") -> None:
        from transformers import AutoTokenizer  # seconds to import, so only where a model is loaded

        self.settings = settings
        self.files = locate(settings.name, settings.revision)
        self.device = torch.device(device)
        self.max_length = settings.max_length or DEFAULT_LENGTH
        self.tokenizer: Any = AutoTokenizer.from_pretrained(self.files.folder, trust_remote_code=False)
        self.backbone = load_backbone(self.files.folder, settings, Weights(settings.precision), self.device, "causal")
        most = positions(self.backbone)
        if most is not None and self.max_length > most:
            raise ModelError(f"{self.files.folder}: reranker.max_length={self.max_length}, but the model has {most} positions")
        self.letters = [self._one_token(letter) for letter in LETTERS[: settings.window]] if settings.kind == "letters" else []

    def _one_token(self, letter: str) -> int:
        ids = self.tokenizer(letter, add_special_tokens=False)["input_ids"]
        if len(ids) != 1:
            raise ModelError(f"{self.files.folder}: the letter {letter} is {len(ids)} tokens for this model; set reranker.kind=windows")
        return int(ids[0])

    def rank(self, query: str, documents: Sequence[str]) -> NDArray[np.float32]:
        """Scores of the documents for the query: the higher, the better."""
        order = slid(range(len(documents)), lambda places: self._order(query, [documents[place] for place in places]), *self._window())
        return scores_by_place(order)

    def _window(self) -> tuple[int, int]:
        return self.settings.window, self.settings.stride

    @torch.inference_mode()
    def _order(self, query: str, documents: list[str]) -> list[int]:
        ids = self._question(query, documents)
        if self.settings.kind == "letters":
            logits = self.backbone(input_ids=ids, logits_to_keep=1).logits[0, -1].float()[self.letters[: len(documents)]]
            return [int(place) for place in torch.sort(logits, descending=True, stable=True).indices]
        told = self.backbone.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=_TOKENS_A_NUMBER * len(documents),
            do_sample=False,
            use_cache=True,
            pad_token_id=self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else 0,
        )
        return order_of(self.tokenizer.decode(told[0, ids.shape[1] :], skip_special_tokens=True), len(documents))

    def _question(self, query: str, documents: list[str]) -> Tensor:
        """The question's tokens, within `max_length`."""
        ids = self._tokens(query, documents)
        if len(ids) > self.max_length:
            room = (self.max_length - len(self._tokens(query, [""] * len(documents)))) // max(len(documents), 1)
            while room > 0 and len(ids) > self.max_length:  # a cut text may make a token more than was counted
                ids = self._tokens(query, [self._cut(document, room) for document in documents])
                room -= 1
            if len(ids) > self.max_length:
                raise ModelError(
                    f"{self.files.folder}: reranker.max_length={self.max_length} leaves no room for {len(documents)} documents; "
                    "raise it, or lower reranker.window"
                )
        return torch.tensor([ids], device=self.device)

    def _tokens(self, query: str, documents: list[str]) -> list[int]:
        question = (lettered_question if self.settings.kind == "letters" else numbered_question)(query, documents)
        if self.tokenizer.chat_template:
            question = self.tokenizer.apply_chat_template([{"role": "user", "content": question}], add_generation_prompt=True, tokenize=False)
        return list(self.tokenizer(question, add_special_tokens=not self.tokenizer.chat_template)["input_ids"])

    def _cut(self, document: str, room: int) -> str:
        spans = self.tokenizer(document, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        return document if len(spans) <= room else document[: spans[room - 1][1]]
