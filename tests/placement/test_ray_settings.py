"""What Ray reads from the process is there for the time of a run, and everything is as before afterwards."""

from __future__ import annotations

import logging
import os

import pytest

from ray_pipeline.placement.ray_settings import environment, quiet


def test_the_environment_is_as_before_and_the_users_own_value_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THEIRS", "5")
    monkeypatch.delenv("OURS", raising=False)
    with pytest.raises(ValueError, match="inside"), environment({"THEIRS": "1", "OURS": "2"}, theirs_stay=True):
        assert (os.environ["THEIRS"], os.environ["OURS"]) == ("5", "2")
        with environment({"OURS": "3"}, theirs_stay=True):  # a run within a run
            assert os.environ["OURS"] == "2"
        assert os.environ["OURS"] == "2"
        raise ValueError("inside")
    assert os.environ["THEIRS"] == "5"
    assert "OURS" not in os.environ


def test_what_a_run_depends_on_is_ours_for_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THEIRS", "5")
    monkeypatch.delenv("OURS", raising=False)
    with environment({"THEIRS": "1", "OURS": "2"}, theirs_stay=False):
        assert (os.environ["THEIRS"], os.environ["OURS"]) == ("1", "2")
    assert os.environ["THEIRS"] == "5"
    assert "OURS" not in os.environ


def test_loggers_speak_again_afterwards() -> None:
    logger = logging.getLogger("one.of.theirs")
    logger.setLevel(logging.INFO)
    with pytest.raises(ValueError, match="inside"), quiet("one.of.theirs", level=logging.CRITICAL):
        assert not logger.isEnabledFor(logging.ERROR)
        raise ValueError("inside")
    assert logger.level == logging.INFO
