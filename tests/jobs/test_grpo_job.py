"""Learning in an environment of the user's own, from the command line: two turns, draws ahead, everything kept; and mistakes told at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.command_line import run_job
from jobs.grpo import GrpoJob, train
from ray_pipeline.artifacts import Workspace
from tests.chat_models import save_tiny_decoder

WORLD = '''
class Asks:
    """Asks once more, and likes letters."""

    def __init__(self, task):
        self.heard = []

    def answer(self, reply):
        self.heard.append(reply["text"])
        return [{"role": "user", "content": "again"}] if len(self.heard) < 2 else []

    def standing(self):
        said = "".join(self.heard)
        return {"worth": sum(one.isalpha() for one in said) / max(1, len(said)), "calls": 3, "failed": 1}
'''


def words(top: Path, *more: str) -> list[str]:
    place = ["cluster.in_process=always", "cluster.threads_per_worker=1", f"workspace={top / 'w'}", "log=warning"]
    asked = [f"policy.name={top / 'model'}", "environment=own", f"environment.environment={top}/world.py:Asks", f"tasks.path={top}/tasks.jsonl"]
    train = [
        "train.max_steps=3",
        "train.epochs=null",
        "train.batch_size=2",
        "train.guard=null",
        "draw.rollouts=4",
        "draw.max_tokens=8",
        "draw.ahead=1",
    ]
    draw = ["draw.rollouts=4", "draw.max_tokens=8", "draw.ahead=1"]
    return [*asked, *train, *draw, "draw.stop=[e,a,t]", "engine.max_length=256", "engine.eager=true", "engine.kv_cache_gb=1", *place, *more]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("own")
    save_tiny_decoder(top / "model", positions=256, head_dim=32)
    (top / "world.py").write_text(WORLD)
    tasks = [{"task_id": f"t{number}", "messages": [{"role": "user", "content": f"say {number}"}]} for number in range(4)]
    (top / "tasks.jsonl").write_text("".join(json.dumps(one) + "\n" for one in tasks))
    return top


def test_a_policy_acts_in_a_world_of_the_users_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_job("grpo", GrpoJob, train, words(folder)) == 0
    assert "rollouts: 24 in" in capsys.readouterr().out
    (made,) = [one for one in Workspace.at(str(folder / "w")).artifacts() if one.stage == "policy"]
    rows = made.table("rollouts/").to_pylist()
    assert {(row["calls"], row["failed_calls"]) for row in rows} == {(3, 1)}
    twice = [row for row in rows if row["turns"] == 2]
    assert twice, "no rollout came to a second reply"
    for row in twice:
        assert len(row["written"]) == len(row["ids"]) and sum(row["written"]) == len(row["logprobs"])
        assert "again" in row["text"] and not all(row["written"])
    assert json.loads(rows[0]["parts"]).keys() == {"task"} and all(0 <= row["reward"] <= 1 for row in rows)
    steps = [row for row in map(json.loads, made.file("history.jsonl").read().splitlines()) if row["kind"] == "step"]
    assert steps[0]["staleness"] == 0 and all(row["staleness"] <= 1 for row in steps)
    assert all(row["tool_calls"] == 3 and row["failed_calls"] == 1 for row in steps)
    assert all(abs(row["mismatch_kl"]) < 1e-2 for row in steps)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["environment.environment=nowhere.py:Asks"], "nowhere.py"),
        (["chats.kind=tool_calls"], "give chats, or an environment with tasks"),
        (["reward.parts.calls.kind=exact"], "reward kinds exact, strict and partial compare with a conversation's calls"),
        (["draw.most_prompt=3"], "draw.least_prompt=0 and draw.most_prompt=3 leave out every task; the longest has"),
        (["draw.max_tokens=250"], r"engine.max_length=256; raise that, or leave out longer tasks"),
        (["tasks.path=nothing.jsonl"], "tasks.path=nothing.jsonl"),
    ],
)
def test_a_mistake_is_told_before_any_engine_starts(folder: Path, more: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_job("grpo", GrpoJob, train, words(folder, *more)) == 1
    assert said in capsys.readouterr().err
