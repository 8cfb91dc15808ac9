"""Scores of others: attached to what is published, shown beside our own, and no part of it."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest

from jobs import attach as tool
from jobs.show import show
from ray_pipeline.artifacts import Artifact, Workspace, damaged, load
from ray_pipeline.errors import ArtifactError, SettingsError
from ray_pipeline.external_scores import attach, external_scores
from ray_pipeline.reports.epoch_table import epoch_table


@pytest.fixture
def trained(tmp_path: Path) -> Artifact:
    """A training's artifact as its manifest tells of it."""
    evaluations = [{"step": 10 * epoch, "epoch": float(epoch), "map@25": 0.1 * (epoch + 1)} for epoch in range(3)]
    attempt = Workspace.at(str(tmp_path)).begin("model", "0" * 20)
    body = {
        "stage": "model",
        "fingerprint": "0" * 20,
        "algorithm": 1,
        "identity": {},
        "inputs": {},
        "rows": 1,
        "settings": {"training": {"train": {"evaluation": None}}},
        "metrics": {"evaluations": evaluations, "chosen_step": 10},
    }
    return attempt.publish(body)


def test_the_last_of_one_name_and_epoch_counts(trained: Artifact) -> None:
    assert external_scores(trained) == []
    for given in (("LB", 0.5), ("private", 0.4), ("LB", 0.505)):
        attach(trained, *given)
    attach(trained, "LB", 0.498, epoch=2, note="third submission")
    assert [score.text() for score in external_scores(trained)] == ["LB 0.505", "private 0.4", "LB 0.498 (epoch 2): third submission"]
    again = load(trained.location.uri)
    assert again.manifest == trained.manifest
    assert damaged(again)[1:] == []  # the first: this manifest's fingerprint was made up


def test_it_stands_in_the_epoch_table_and_in_show(trained: Artifact) -> None:
    assert "external" not in epoch_table(trained)
    attach(trained, "LB", 0.505)
    attach(trained, "LB", 0.498, epoch=2)
    header, _, *rows = epoch_table(trained).splitlines()
    assert header == "| epoch | step | MAP@25 | external score |"
    assert [row.split("|")[-2].strip().strip("*") for row in rows] == ["", "0.5050", "0.4980"]  # of the chosen epoch where none is named
    assert "external scores:\n" in show(trained)
    assert "  LB 0.505\n" in show(trained)


def test_what_is_no_score_is_refused(trained: Artifact) -> None:
    with pytest.raises(SettingsError, match="a name and a finite number"):
        attach(trained, "LB", math.nan)
    with pytest.raises(SettingsError, match="it was evaluated at epochs 0, 1, 2"):
        attach(trained, "LB", 0.5, epoch=7)
    for content in ('{"nam": "LB"}', '{"name": "LB", "value": "0.5"}', '{"name": "LB", "value": NaN}', "[0.5]", "LB=0.5"):
        (trained.location / "external/20260101.json").write(content.encode())
        with pytest.raises(ArtifactError, match="20260101.json: not an external score"):
            external_scores(trained)


def test_the_job(trained: Artifact, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["attach", trained.location.uri, "LB=0.505", "--epoch", "1"])
    tool.main()
    assert "LB 0.505 (epoch 1)" in capsys.readouterr().out
    for given, said in (("LB", "'LB' has no value; give name=number"), ("LB=good", "'LB=good' is no number")):
        monkeypatch.setattr(sys, "argv", ["attach", trained.location.uri, given])
        with pytest.raises(SystemExit, match=said):
            tool.main()
