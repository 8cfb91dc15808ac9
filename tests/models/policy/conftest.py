"""Tiny decoders of two kinds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chat_models import save_tiny_decoder


@pytest.fixture(scope="session")
def tiny_chat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_decoder(tmp_path_factory.mktemp("tiny_chat"))


@pytest.fixture(scope="session")
def tiny_bigcode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Absolute positions, one key head for all: StarCoder's shape."""
    return save_tiny_decoder(tmp_path_factory.mktemp("tiny_bigcode"), kind="gpt_bigcode")
