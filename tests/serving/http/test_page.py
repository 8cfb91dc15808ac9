"""The search page as a person with a keyboard uses it, in a real browser."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from ray_pipeline.retrieval.collection.store import Collection
from ray_pipeline.serving.keys import Keys
from tests.serving.http.browser import browsing
from tests.serving.http.server import listening
from tests.serving.http.test_application import Parts, application

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; apt install chromium")


def test_a_person_searches_with_the_keyboard(parts: Parts, collection: Collection, tmp_path: Path) -> None:
    async def scenario(address: str) -> None:
        assert CHROMIUM is not None
        async with browsing(CHROMIUM, tmp_path, f"{address}/") as page:
            unnamed = "[...document.querySelectorAll('input, select')].filter((one) => !one.labels.length).length"
            assert await page.value(unnamed) == 0
            assert await page.value("document.activeElement.id") == "query"
            await page.call("Input.insertText", text="adds the tops")
            for wanted in ("mode", "count"):
                await page.press("Tab")
                assert await page.value("document.activeElement.id") == wanted
            await page.press("Enter")
            await page.until("document.querySelectorAll('#reranked li').length === 10")
            first, second = [
                await page.value(f"[...document.querySelectorAll('#{name} li .about')].map((one) => one.textContent.split(' ')[0])")
                for name in ("retrieved", "reranked")
            ]
            assert sorted(first) == sorted(second)
            assert "10 documents of state 1." in await page.value("document.getElementById('status').textContent")
            assert await page.value("document.getElementById('status').getAttribute('aria-live')") == "polite"
            await page.value("document.getElementById('query').value = 'x'; document.getElementById('count').value = 5000; 1")
            await page.value("document.getElementById('count').removeAttribute('max'); document.getElementById('ask').requestSubmit(); 1")
            await page.until("document.getElementById('status').classList.contains('wrong')")
            assert "top_k" in await page.value("document.getElementById('status').textContent")
            assert all(url.startswith((address, "about:", "data:")) for url in page.requested), page.requested
            assert [one for one in page.console if "422" not in one and "favicon" not in one] == []

    with listening(application(parts, collection, keys=Keys([], [], open_to_all=True))) as address:
        asyncio.run(asyncio.wait_for(scenario(address), 90))


def test_the_page_about_endpoints_shows_them_all(parts: Parts, collection: Collection, tmp_path: Path) -> None:
    async def scenario(address: str) -> None:
        assert CHROMIUM is not None
        async with browsing(CHROMIUM, tmp_path, f"{address}/docs") as page:
            await page.until("document.querySelectorAll('section h2').length >= 12")
            shown = await page.value("[...document.querySelectorAll('section h2')].map((one) => one.textContent)")
            assert {"POST /search", "POST /v1/embeddings", "POST /v2/rerank", "GET /health"} <= set(shown)
            assert "curl" in await page.value("document.querySelector('section pre').textContent")

    with listening(application(parts, collection, keys=Keys([], [], open_to_all=True))) as address:
        asyncio.run(asyncio.wait_for(scenario(address), 90))
