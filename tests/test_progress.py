from __future__ import annotations

import logging

import pytest

from ray_pipeline.progress import Progress, duration


def test_durations_read_as_clocks_do() -> None:
    assert [duration(seconds) for seconds in (0, 41.6, 59.7, 3599.6, 3803)] == ["0:00", "0:42", "1:00", "1:00:00", "1:03:23"]


def test_a_line_says_share_rates_and_time_left() -> None:
    progress = Progress("vectors", total=10, unit="shards", already=4, started=100.0)
    progress.advance(2, rows=3000, tokens=50_000)
    progress.advance(1, rows=1500)
    # 3 shards in 30 s, 3 are left; what was there before does not count as speed
    assert progress.line(130.0) == "vectors: 7 of 10 shards (70%)  150 rows/s  1,667 tokens/s  ETA 0:30"
    progress.advance(3)
    assert progress.line(160.0) == "vectors: 10 of 10 shards (100%)  75 rows/s  833 tokens/s  took 1:00"
    progress.advance(1)  # a shard that was redone
    assert progress.line(160.0).endswith("took 1:00")


def test_the_end_is_logged_and_not_every_step(caplog: pytest.LogCaptureFixture) -> None:
    progress = Progress("vectors", total=50, unit="shards", every=3600)
    with caplog.at_level(logging.INFO, "ray_pipeline.progress"):
        for _ in range(50):
            progress.advance()
    assert [record.message.split(" (")[0] for record in caplog.records] == ["vectors: 50 of 50 shards"]


def test_nothing_to_do_is_no_division_by_zero() -> None:
    assert "0 of 0" in Progress("x", total=0, unit="shards").line(0.0)
