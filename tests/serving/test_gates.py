"""Limits, admission and keys: each lets through what it should, and refuses the rest in the way clients can act on."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from ray_pipeline.errors import SettingsError
from ray_pipeline.serving.admission import Admission
from ray_pipeline.serving.keys import Keys, KeySettings
from ray_pipeline.serving.limits import Limits
from ray_pipeline.serving.request_error import RequestError

LIMITS = Limits(max_items=3, max_characters=10, max_tokens=100, max_body_mb=0.001, max_waiting_tokens=100, max_requests=2)
READER, WRITER = "r" * 20, "w" * 20


@pytest.mark.parametrize(
    ("act", "code", "said"),
    [
        (lambda: LIMITS.check_items(["a"] * 4, "input"), "invalid_request", "input: 4 items, and 3 are the most"),
        (lambda: LIMITS.check_items(["a", "b" * 11], "input"), "invalid_request", "input.1: longer than 10"),
        (lambda: LIMITS.check_items([[1] * 11], "input"), "invalid_request", "input.0"),
        (lambda: LIMITS.check_pairs(2, 2), "invalid_request", "2 queries x 2 documents, and 3 pairs"),
        (lambda: LIMITS.check_tokens(101, "texts"), "invalid_request", "texts: 101 tokens"),
        (lambda: LIMITS.check_size(1001), "too_large", "0.001 MB"),
    ],
)
def test_limits(act: object, code: str, said: str) -> None:
    assert callable(act)
    with pytest.raises(RequestError) as caught:
        act()
    assert caught.value.code == code
    assert said in caught.value.message


def test_what_is_within_the_limits_passes() -> None:
    LIMITS.check_items(["a" * 10] * 3, "input")
    LIMITS.check_tokens(100, "input")
    LIMITS.check_pairs(1, 3)
    LIMITS.check_size(1000)


def test_too_much_is_sent_away_before_it_waits_and_told_for_how_long() -> None:
    now = 0.0
    admission = Admission(LIMITS, lambda: now)
    with ExitStack() as held:
        held.enter_context(admission.work(60))
        with pytest.raises(RequestError, match="60 tokens are waiting; there is no room for 50 more") as caught:
            held.enter_context(admission.work(50))
        assert (caught.value.code, caught.value.retry_after) == ("overloaded", 1)  # how fast it goes is not known yet
        held.enter_context(admission.work(40))
        now = 4.0
    assert (admission.tokens, admission.speed()) == (0, 100.0)
    now = 8.0
    assert admission.speed() == 25.0
    with admission.work(99), pytest.raises(RequestError) as caught, admission.work(2):
        pass
    assert caught.value.retry_after == 4  # 99 tokens at 25 a second
    now = 100.0
    assert admission.speed() == 0.0


def test_one_that_is_too_large_by_itself_gets_through_when_nothing_waits() -> None:
    admission = Admission(LIMITS)
    with admission.work(1000):
        assert admission.tokens == 1000
    assert admission.tokens == 0


def test_requests_are_counted_and_let_go_whatever_becomes_of_them() -> None:
    admission = Admission(LIMITS)
    with pytest.raises(ValueError, match="broken"), admission.request():
        raise ValueError("broken")
    with admission.request(), admission.request():
        with pytest.raises(RequestError, match="2 requests are in work"), admission.request():
            pass
        assert admission.requests == 2
    assert admission.requests == 0
    with pytest.raises(ValueError, match="broken"), admission.work(5):
        raise ValueError("broken")
    assert (admission.tokens, admission.speed()) == (0, 0.0)


@pytest.mark.parametrize(
    ("header", "right", "code"),
    [
        (f"Bearer {READER}", "read", None),
        (f"bearer  {READER} ", "read", None),
        (f"Bearer {WRITER}", "read", None),
        (f"Bearer {WRITER}", "change", None),
        (f"Bearer {READER}", "change", "forbidden"),
        (None, "read", "not_authorised"),
        ("", "read", "not_authorised"),
        ("Bearer", "read", "not_authorised"),
        ("Bearer ", "read", "not_authorised"),
        (READER, "read", "not_authorised"),
        (f"Basic {READER}", "read", "not_authorised"),
        (f"Bearer {READER[:-1]}", "read", "not_authorised"),
        (f"Bearer {READER}x", "read", "not_authorised"),
        ("Bearer \udcff", "read", "not_authorised"),
    ],
)
def test_keys(header: str | None, right: str, code: str | None) -> None:
    keys = Keys([READER, "other" * 5], [WRITER])
    if code is None:
        keys.check(header, right)  # type: ignore[arg-type]
        return
    with pytest.raises(RequestError) as caught:
        keys.check(header, right)  # type: ignore[arg-type]
    assert caught.value.code == code
    assert READER not in caught.value.message


def test_where_keys_come_from(tmp_path: Path) -> None:
    environment = {"RAY_PIPELINE_READ_KEYS": f" {READER} ,", "RAY_PIPELINE_CHANGE_KEYS": WRITER}
    Keys.of(KeySettings(), "0.0.0.0", environment).check(f"Bearer {READER}", "read")
    file = tmp_path / "keys"
    file.write_text(f"# comment\n\nread {READER}\nchange {WRITER}\n")
    Keys.of(KeySettings(file=str(file)), "0.0.0.0", {}).check(f"Bearer {WRITER}", "change")
    file.write_text(f"read {READER}\nwrite {WRITER}\n")
    with pytest.raises(SettingsError, match="keys:2: a line is"):
        Keys.of(KeySettings(file=str(file)), "0.0.0.0", {})
    with pytest.raises(SettingsError, match="there is no such file"):
        Keys.of(KeySettings(file=str(tmp_path / "nowhere")), "0.0.0.0", {})
    with pytest.raises(SettingsError, match="shorter than 16"):
        Keys.of(KeySettings(), "127.0.0.1", {"RAY_PIPELINE_READ_KEYS": "short"})


def test_a_service_is_closed_unless_said_otherwise_and_open_only_at_home() -> None:
    with pytest.raises(SettingsError, match="keys: there are none"):
        Keys.of(KeySettings(), "127.0.0.1", {})
    with pytest.raises(SettingsError, match=r"listens on 127\.0\.0\.1 only"):
        Keys.of(KeySettings(mode="open"), "0.0.0.0", {})
    Keys.of(KeySettings(mode="open"), "127.0.0.1", {}).check(None, "change")
