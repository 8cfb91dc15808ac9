"""Tiny rerankers, as the tests of models have them."""

from tests.models.conftest import tiny_causal, tiny_classifier  # noqa: F401  # fixtures
