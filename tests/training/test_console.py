from __future__ import annotations

import logging

import pytest

from ray_pipeline.training.console import Console


def test_a_line_says_all_of_it() -> None:
    console = Console(total_steps=1000, every=1e12, already=100, started=100.0, logged=100.0)
    for step, loss in ((101, 1.0), (102, 2.0), (103, 1.5), (104, 1.5)):
        console.step(step, 0.8, loss, 1e-4, tokens=500, memory=3_200_000_000)
    # 4 steps of this start in 20 s, 896 are left; those of an earlier start count for the share only
    line = console.line(104, 0.832, 1e-4, 3_200_000_000, now=120.0)
    assert line == "step 104 of 1,000 (10%)  epoch 0.83  loss 1.5000  lr 1.00e-04  100 tokens/s  3.2 GB  ETA 1:14:40"


def test_the_end_says_what_it_took() -> None:
    console = Console(total_steps=10, started=100.0, logged=160.0)
    assert console.line(10, 1.0, 0.0, 0, now=165.0).endswith("took 1:05")


def test_the_end_is_logged_and_not_every_step(caplog: pytest.LogCaptureFixture) -> None:
    console = Console(total_steps=50, every=3600)
    with caplog.at_level(logging.INFO, "ray_pipeline.training.console"):
        for step in range(1, 51):
            console.step(step, step / 50, float(step), 1e-4, tokens=10, memory=0)
    (record,) = caplog.records
    assert record.message.startswith("step 50 of 50 (100%)  epoch 1.00  loss 25.5000")


def test_each_line_tells_of_the_steps_since_the_one_before_to_whoever_listens() -> None:
    lines: list[str] = []
    console = Console(total_steps=50, every=1e-9, write=lines.append)
    for step in (1, 2, 3):
        console.step(step, 0.1, float(step), 1e-4, tokens=10, memory=0)
    assert [line.split("loss ")[1].split()[0] for line in lines] == ["1.0000", "2.0000", "3.0000"]


def test_a_run_resumed_at_its_end_divides_by_nothing() -> None:
    assert "0 of 0" in Console(total_steps=0, started=5.0, logged=5.0).line(0, 0.0, 0.0, 0, now=5.0)
