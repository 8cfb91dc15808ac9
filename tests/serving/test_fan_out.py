"""A collection in shares answers as the whole one does, through changes and new versions."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from ray_pipeline.errors import SettingsError
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.retrieval.collection.state import State
from ray_pipeline.retrieval.collection.store import Collection
from ray_pipeline.retrieval.documents.filters import FilterError
from ray_pipeline.retrieval.index.opened import Share
from ray_pipeline.serving.backends import SearchedCollection
from ray_pipeline.serving.fan_out import FanOut
from ray_pipeline.serving.request_error import RequestError
from ray_pipeline.serving.service import Lookup
from tests.retrieval.collection.test_state import DIM, WORDS, collection, drawn_doc, published, run, segment

__all__ = ["collection", "run"]


def filled(run: Run, collection: Collection, generator: np.random.Generator, count: int = 20) -> None:
    docs = {f"d{number:02d}": drawn_doc(f"d{number:02d}", generator) for number in range(count)}
    collection.publish(*published(run, docs, part_rows=7))


def scenario(task: Any) -> Any:
    return asyncio.run(asyncio.wait_for(task, 60))


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_shares_answer_as_one(run: Run, collection: Collection, seed: int, count: int) -> None:
    generator = np.random.default_rng(seed)
    filled(run, collection, generator)
    vectors = np.round(generator.standard_normal((3, DIM)), 1).astype(np.float32)

    async def asked() -> None:
        shares = [SearchedCollection(collection, share=Share(number, count)) for number in range(count)]
        together, whole = FanOut(shares), SearchedCollection(collection)
        for batch in range(5):
            lookups = [
                Lookup(6, vectors, WORDS[:3]),
                Lookup(6, vectors),
                Lookup(6, None, WORDS[:3]),
                Lookup(4, vectors, WORDS[:3], {"year": {"gte": 2002}}),
            ]
            for lookup in lookups:
                ours, theirs = await together.search(lookup), await whole.search(lookup)
                assert ours.dense == list(theirs.dense)
                assert ours.lexical == list(theirs.lexical)
                assert ours.state == theirs.state == f"1.{batch}"
                assert ours.documents == theirs.documents
            names = [f"d{number:02d}" for number in generator.choice(26, 4, replace=False)]
            collection.append(segment({name: None if generator.random() < 0.3 else drawn_doc(name, generator) for name in names}))
            for one in (*shares, whole):
                assert await one.refresh()

    scenario(asked())


def test_shares_that_move_apart_answer_from_one_state(run: Run, collection: Collection) -> None:
    generator = np.random.default_rng(5)
    filled(run, collection, generator)

    async def asked() -> tuple[str, str, str]:
        shares = [SearchedCollection(collection, share=Share(number, 2)) for number in range(2)]
        together = FanOut(shares)
        lookup = Lookup(5, np.zeros((1, DIM), np.float32), ["tops"])
        collection.append(segment({"d00": None}))
        await shares[0].refresh()
        apart = (await together.search(lookup)).state  # the first has 1.1 by now, and answers from 1.0 once more
        await shares[1].refresh()
        level = (await together.search(lookup)).state
        filled(run, collection, np.random.default_rng(6), 21)
        collection.use(1)
        collection.use(2)
        await shares[1].refresh()
        collection.use(1)
        await shares[0].refresh()
        back = (await together.search(lookup)).state
        return apart, level, back

    assert scenario(asked()) == ("1.0", "1.1", "1.1")


def test_a_state_that_is_gone_for_good_is_an_answer_to_act_on(run: Run, collection: Collection) -> None:
    filled(run, collection, np.random.default_rng(5))
    with pytest.raises(RequestError, match="state 9.9 of the collection is not here") as caught:
        scenario(SearchedCollection(collection).search(Lookup(1, None, ["tops"], None, "9.9")))
    assert (caught.value.status, caught.value.retry_after) == (503, 1)


def test_what_cannot_be_shared_is_refused(run: Run, collection: Collection) -> None:
    filled(run, collection, np.random.default_rng(5))
    with pytest.raises(SettingsError, match=r"has 3 parts and cannot be shared by 4; build it with a smaller index\.part_rows"):
        State.of(collection, share=Share(0, 4))


def test_a_field_of_another_share_is_known(run: Run, collection: Collection) -> None:
    generator = np.random.default_rng(5)
    docs = {f"d{number:02d}": {**drawn_doc(f"d{number:02d}", generator), "fields": {"last": True} if number == 19 else {}} for number in range(20)}
    collection.publish(*published(run, docs, part_rows=7))

    async def asked() -> list[str]:
        together = FanOut([SearchedCollection(collection, share=Share(number, 3)) for number in range(3)])
        found = await together.search(Lookup(5, np.zeros((1, DIM), np.float32), None, {"last": True}))
        return [name for name, _ in found.dense[0]]

    assert scenario(asked()) == ["d19"]
    with pytest.raises(FilterError, match="no document has a field 'nowhere'; there are last"):
        State.of(collection, share=Share(0, 3)).dense(np.zeros((1, DIM), np.float32), 1, {"nowhere": 1})
