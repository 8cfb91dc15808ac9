"""A small tokenizer with the marks of chat templates."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chat_models import byte_tokenizer


@pytest.fixture(scope="session")
def chat_tokenizer() -> Any:
    return byte_tokenizer()
