"""Conversations written over a real HTTP endpoint that does all that endpoints do: answers, refuses, is busy, talks nonsense."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from jobs.command_line import run_job
from jobs.synthesise import SynthesiseJob, run_synthesis
from ray_pipeline.artifacts import Artifact, Workspace, damaged
from ray_pipeline.data.chats.formats import read_chats
from ray_pipeline.data.chats.table import conversations
from ray_pipeline.errors import DataError
from ray_pipeline.synthesis.dialogue import Dialogue, UnusableError
from ray_pipeline.synthesis.endpoint import Endpoint, EndpointError
from ray_pipeline.synthesis.settings import DialogueSettings, EndpointSettings
from ray_pipeline.synthesis.shards import tools_of
from ray_pipeline.synthesis.tools import checker, read_tools
from ray_pipeline.text.chat.conversation import faults

TOOLS = [
    {"name": "weather", "parameters": {"properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}},
    {"name": "add", "parameters": {"properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}},
]


class Writer:
    """The endpoint. `mood`: what it does to every so many-th request."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.keys: set[str] = set()
        self.mood: dict[str, int] = {}
        self.url = ""

    def _turn(self, name: str) -> bool:
        self.asked[name] += 1
        every = self.mood.get(name)
        return every is not None and self.asked[name] % every == 0

    async def answer(self, request: web.Request) -> web.Response:
        self.keys.add(request.headers.get("Authorization", ""))
        body = await request.json()
        if self._turn("busy"):
            return web.Response(status=429, headers={"Retry-After": "0"}, text="later")
        if self._turn("broken"):
            return web.Response(status=503, text="down")
        if self._turn("nonsense"):
            return web.Response(text="<html>")
        usage = {"prompt_tokens": 100, "completion_tokens": 10}
        return web.json_response({"choices": [{"message": self._message(body)}], "usage": usage})

    def _message(self, body: dict[str, Any]) -> dict[str, Any]:
        messages, seed = body["messages"], body["seed"]
        if "tools" in body:
            return self._assistant(body, messages, seed)
        if messages[0]["role"] == "system":
            return {"role": "assistant", "content": f"request {seed} after {len(messages[1]['content'])} letters"}
        return {"role": "assistant", "content": "sunny" if self._turn("bad tool") else '```json\n{"result": 3}\n```'}

    def _assistant(self, body: dict[str, Any], messages: list[dict[str, Any]], seed: int) -> dict[str, Any]:
        if messages[-1]["role"] == "tool":
            assert json.loads(messages[-1]["content"]) == {"result": 3}
            return {"role": "assistant", "content": f"It is 3, number {seed}."}
        name = body["tools"][0]["function"]["name"]
        arguments: dict[str, Any] = {"city": f"town {seed}"} if name == "weather" else {"a": seed, "b": 2}
        if self._turn("wrong type"):
            arguments = {"city": 3, "a": "x"}
        if self._turn("unknown tool"):
            name = "nothing"
        call = {"id": "x", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        return {"role": "assistant", "content": None, "reasoning_content": "I look it up.", "tool_calls": [call]}


@pytest.fixture
def writer() -> Iterator[Writer]:
    found, loop, ready = Writer(), asyncio.new_event_loop(), threading.Event()

    def serve() -> None:
        asyncio.set_event_loop(loop)
        app = web.Application()
        app.router.add_post("/v1/chat/completions", found.answer)
        runner = web.AppRunner(app)
        loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        loop.run_until_complete(site.start())
        found.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/v1"  # type: ignore[union-attr]
        ready.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert ready.wait(10)
    yield found
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    path = tmp_path / "tools.jsonl"
    path.write_text("".join(json.dumps(tool) + "\n" for tool in TOOLS))
    return path


def words(writer: Writer, tools: Path, tmp_path: Path, *more: str) -> list[str]:
    here = [f"workspace={tmp_path / 'w'}", "cluster.in_process=always", "log=warning"]
    return [f"tools={tools}", f"endpoint.url={writer.url}", "endpoint.model=any", "conversations=12", "shard_rows=5", *here, *more]


def made(tmp_path: Path) -> Artifact:
    (found,) = [one for one in Workspace.at(str(tmp_path / "w")).artifacts() if one.stage == "synthesised"]
    return found


def test_conversations_are_written_and_read_again(
    writer: Writer, tools: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "secret-key")
    writer.mood = {"busy": 7, "broken": 11}
    prices = ["endpoint.prompt_price=2.0", "endpoint.completion_price=10.0", "endpoint.key_variable=MY_KEY"]
    assert run_job("synthesise", SynthesiseJob, run_synthesis, words(writer, tools, tmp_path, *prices)) == 0
    found = made(tmp_path)
    assert damaged(found) == []
    read = read_chats(found.file("chats.jsonl").uri, "openai").chats
    assert len(read) == 12
    for one in conversations(read):
        assert faults(one) == []
        assert [message.role for message in one.messages] == ["user", "assistant", "tool", "assistant"] * 2
        assert one.messages[1].reasoning == "I look it up."
    counts = found.metrics
    assert counts["conversations"] == 12
    assert counts["retries"] > 0
    assert counts["prompt_tokens"] == 100 * (counts["requests"] - counts["retries"])
    assert counts["cost"] == pytest.approx((counts["prompt_tokens"] * 2 + counts["completion_tokens"] * 10) / 1e6)
    assert writer.keys == {"Bearer secret-key"}
    assert f"chats.path={found.file('chats.jsonl').uri}" in capsys.readouterr().out
    kept = [path for path in (tmp_path / "w").rglob("*") if path.is_file() and b"secret-key" in path.read_bytes()]
    assert kept == []
    # the same again asks nobody
    asked = writer.asked.total()
    assert run_job("synthesise", SynthesiseJob, run_synthesis, words(writer, tools, tmp_path, *prices)) == 0
    assert writer.asked.total() == asked


def test_what_is_of_no_use_is_left_out_and_counted(writer: Writer, tools: Path, tmp_path: Path) -> None:
    writer.mood = {"wrong type": 5, "unknown tool": 7, "bad tool": 6}
    assert run_job("synthesise", SynthesiseJob, run_synthesis, words(writer, tools, tmp_path, "endpoint.concurrency=1")) == 0
    counts = made(tmp_path).metrics
    left_out = {name: value for name, value in counts.items() if name.startswith("left_out")}
    assert set(left_out) == {
        "left_out: arguments are not of the tool's schema",
        "left_out: calls a tool that is not offered",
        "left_out: a tool's answer is not JSON",
    }
    assert counts["conversations"] + sum(left_out.values()) == 12


def test_a_run_that_broke_off_goes_on_where_it_was(writer: Writer, tools: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The endpoint dies in the second shard; the first is not paid for again."""
    writer.mood = {"nonsense": 45}
    assert run_job("synthesise", SynthesiseJob, run_synthesis, words(writer, tools, tmp_path)) == 1
    assert "its answer is not one of OpenAI's chat protocol: <html>" in capsys.readouterr().err
    assert not list((tmp_path / "w").glob("synthesised/*/manifest.json"))
    done = len(list((tmp_path / "w").glob("synthesised/*/attempts/*/records/*.json")))
    assert done == 1
    writer.mood, before = {}, writer.asked["busy"]
    assert run_job("synthesise", SynthesiseJob, run_synthesis, words(writer, tools, tmp_path)) == 0
    per_conversation = 2 * (1 + 2 + 1)  # two requests, each: the user, a call, the tool, an answer
    assert writer.asked["busy"] - before == 7 * per_conversation
    assert made(tmp_path).metrics["conversations"] == 12


def test_a_cost_that_runs_away_ends_it(writer: Writer, tools: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dear = ["endpoint.prompt_price=1000000.0", "most_cost=1.0", "endpoint.concurrency=1", "dialogue.turns=1"]
    assert run_job("synthesise", SynthesiseJob, run_synthesis, words(writer, tools, tmp_path, *dear)) == 1
    assert "were allowed; raise most_cost" in capsys.readouterr().err
    assert run_job("synthesise", SynthesiseJob, run_synthesis, words(writer, tools, tmp_path, "most_cost=1.0")) == 1
    assert "is never reached without prices" in capsys.readouterr().err


def ask(url: str, **given: Any) -> dict[str, Any]:
    async def asked() -> dict[str, Any]:
        async with aiohttp.ClientSession() as session:
            return await Endpoint(EndpointSettings(url=url, model="m", **given), session).reply([{"role": "user", "content": "a"}])

    return asyncio.run(asked())


def test_an_endpoint_that_is_not_there_or_refuses(writer: Writer) -> None:
    with pytest.raises(EndpointError, match="does not answer after 1 tries"):
        ask("http://127.0.0.1:9/v1", retries=0)
    with pytest.raises(EndpointError, match="answers 404"):
        ask(f"{writer.url}/nowhere", retries=3)
    writer.mood = {"broken": 1}
    with pytest.raises(EndpointError, match="still answers 503 after 2 tries: down"):
        ask(writer.url, retries=1)


def test_a_conversation_that_never_ends_is_left_out(writer: Writer) -> None:
    async def written() -> None:
        async with aiohttp.ClientSession() as session:
            endpoint = Endpoint(EndpointSettings(url=writer.url, model="m"), session)
            await Dialogue(endpoint, DialogueSettings(most_steps=1)).write([{"type": "function", "function": TOOLS[0]}], 0)

    with pytest.raises(UnusableError, match="too many steps"):
        asyncio.run(written())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "holds no tools"),
        ("{", "neither a JSON list of tools nor one tool a line"),
        ('[{"parameters": {}}]', "tool 1 has no name"),
        ('[{"name": "a"}, {"name": "a"}]', "two tools are called 'a'"),
        ('[{"name": "a", "parameters": {"type": "nothing"}}]', "the parameters of 'a' are no JSON schema"),
    ],
)
def test_tools_that_are_none_are_refused(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "tools.json").write_text(text)
    with pytest.raises(DataError, match=words):
        read_tools(str(tmp_path / "tools.json"))


def test_a_schema_is_not_fetched_from_elsewhere() -> None:
    tool = {"name": "a", "parameters": {"properties": {"x": {"$ref": "http://127.0.0.1:9/schema.json"}}}}
    with pytest.raises(Exception, match="Unresolvable"):
        checker(tool).is_valid({"x": 1})


def test_the_tools_of_a_conversation_follow_from_its_number() -> None:
    tools = [{"name": f"t{number}"} for number in range(9)]
    drawn = [tools_of(tools, DialogueSettings(least_tools=2, most_tools=4), 0, number) for number in range(50)]
    assert drawn == [tools_of(tools, DialogueSettings(least_tools=2, most_tools=4), 0, number) for number in range(50)]
    assert {len(one) for one in drawn} == {2, 3, 4}
    assert len({tool["name"] for one in drawn for tool in one}) == 9
