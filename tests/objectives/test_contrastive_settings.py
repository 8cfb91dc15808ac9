from __future__ import annotations

from typing import Any

import pytest

from ray_pipeline.config import identity_of, parse
from ray_pipeline.errors import SettingsError
from ray_pipeline.objectives.contrastive_settings import ContrastiveSettings


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"directions": []}, "query_to_doc holds the positive pair"),
        ({"directions": ["doc_to_query"]}, "query_to_doc holds the positive pair"),
        ({"directions": ["query_to_doc", "query_to_doc"]}, "names one twice"),
        ({"directions": ["query_to_doc", "query_to_query"], "partition": "per_direction"}, "query_to_query alone holds no positive"),
        ({"directions": ["query_to_doc", "doc_to_doc"], "partition": "per_direction"}, "doc_to_doc alone holds no positive"),
        ({"directions": ["query_to_doc", "doc_to_query"], "positives": "each"}, "positives=each.*twice.*per_direction"),
        ({"directions": ["query_to_doc", "doc_to_query"], "positives": "others_removed"}, "positives=others_removed.*twice"),
        ({"hardness_strength": 5.0}, "read only with a hardness"),
        ({"hardness": "hard_negatives"}, "changes nothing with hardness_strength=0"),
        ({"ce_weight": 0.0}, "nothing would be learned"),
        ({"learnable_temperature": True, "temperature": 0.005}, "below its bound 0.01"),
        ({"temperature": 0.0}, "temperature"),
        ({"matryoshka_dims": [64, 0]}, "at least 1"),
        ({"matryoshka_dims": [64, 64]}, "names a size twice"),
        ({"matryoshka_dims": [64, 32], "matryoshka_weights": [1.0]}, "1 for 2 matryoshka_dims"),
        ({"matryoshka_weights": [1.0]}, "1 for 0 matryoshka_dims"),
        ({"matryoshka_dims": [64], "matryoshka_weights": [0.0]}, "above 0"),
        ({"chunk_rows": 0}, "chunk_rows"),
        ({"hardnes": "none"}, "did you mean 'hardness'"),
    ],
)
def test_what_has_no_meaning_is_refused(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        parse(ContrastiveSettings, values)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"directions": ["query_to_doc", "doc_to_query"], "partition": "per_direction", "positives": "each"},
        {"directions": ["query_to_doc", "query_to_query", "doc_to_doc"], "positives": "others_removed"},
        {"hardness": "hard_negatives", "hardness_strength": 5.0},
        {"ce_weight": 0.0, "distill_weight": 1.0},
        {"learnable_temperature": True, "temperature": 0.01},
        {"temperature": 0.005},
        {"matryoshka_dims": [384, 128], "matryoshka_weights": [1.0, 0.5]},
    ],
)
def test_what_has_a_meaning_is_taken_and_identifies_the_result(values: dict[str, Any]) -> None:
    settings = parse(ContrastiveSettings, values)
    assert set(identity_of(settings)) == set(ContrastiveSettings.model_fields)
