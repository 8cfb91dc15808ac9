"""Looking at rollouts: which are picked, the figures of draws by hand, tokens as text, and pages that no answer can break out of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ray_pipeline.artifacts import Artifact, Workspace
from ray_pipeline.errors import ArtifactError, DataError
from ray_pipeline.reports.rollouts.choice import Picked, Row, Show, matching
from ray_pipeline.reports.rollouts.kept import draws_of
from ray_pipeline.reports.rollouts.page import SHADES, shade, to_html
from ray_pipeline.reports.rollouts.sample import Sample, pieces, sample_of
from ray_pipeline.reports.rollouts.summary import cells, figures_of
from ray_pipeline.reports.rollouts.terminal import printable, sample_text, table_text
from ray_pipeline.reports.rollouts.tokens import decoder_of, without_weights
from ray_pipeline.schemas import ROLLOUTS
from tests.chat_models import byte_tokenizer

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> &amp; \x1b[2J\x1b]0;mine\x07 \u202e </pre>"


def row(prompt: str, sample: int, reward: float, tokens: int = 2, version: int = 0, **given: Any) -> dict[str, Any]:
    plain = {"prompt_ids": [1], "ids": list(range(tokens)), "logprobs": [-0.5] * tokens, "text": "", "parts": "{}", "truncated": False}
    return {"prompt_id": prompt, "sample": sample, "reward": reward, "version": version, **plain, **given}


DRAWS = [
    [[row("a", 0, 1.0, 5), row("a", 1, 0.0)], [row("b", 0, 1.0, 9, truncated=True), row("b", 1, 1.0)]],  # two ranks
    [[row("c", 0, 1.0, version=1), row("c", 1, 1.0, version=1)]],  # teaches nothing
    [[row("a", 0, 0.25, 3, version=1), row("a", 1, 0.75, version=1), row("a", 2, 0.0, version=1, failed="it raised")]],
]


def kept(folder: Path, draws: Sequence[Sequence[list[dict[str, Any]]]] = DRAWS, columns: Sequence[str] = ROLLOUTS.names, **training: Any) -> Artifact:
    attempt = Workspace.at(str(folder)).begin("policy", "ab" * 10)
    for number, ranks in enumerate(draws):
        for rank, rows in enumerate(ranks):
            attempt.write_table(f"rollouts/{number:06d}-{rank:03d}.parquet", pa.Table.from_pylist(rows, schema=ROLLOUTS).select(list(columns)))
    identity = {"task": "grpo", "training": training}
    return attempt.publish({"stage": "policy", "fingerprint": "ab" * 10, "algorithm": 1, "identity": identity, "inputs": {}, "metrics": {}})


# ---- draws


def test_steps_are_counted_over_draws_that_taught_nothing(tmp_path: Path) -> None:
    draws = list(draws_of(kept(tmp_path)))
    assert [(one.number, one.step, one.table.num_rows) for one in draws] == [(0, "1", 4), (1, "2", 2), (2, "2", 3)]
    assert [one.uniform.tolist() for one in draws] == [[False, False, True, True], [True, True], [False, False, False]]


def test_a_draw_may_be_learned_from_in_several_steps(tmp_path: Path) -> None:
    artifact = kept(tmp_path, updates={"passes": 2, "parts": 2})
    assert [one.step for one in draws_of(artifact)] == ["1 to 4", "5 to 8", "5 to 8"]
    assert [one.number for one in matching(draws_of(artifact), 8, None, "it")] == [1, 2]
    with pytest.raises(DataError, match="step=9: it has rollouts of steps 1 to 8"):
        list(matching(draws_of(artifact), 9, None, "it"))


def test_rollouts_that_were_dropped_are_compared_with_nothing(tmp_path: Path) -> None:
    """As the training did: b's cut off rollout leaves the other one alone."""
    (first, *_) = draws_of(kept(tmp_path, drop_truncated=True))
    assert first.uniform.tolist() == [False] * 4


def test_rollouts_of_older_trainings_lack_columns_and_are_read(tmp_path: Path) -> None:
    older = [name for name in ROLLOUTS.names if name not in ("written", "turns", "calls", "failed_calls", "thought")]
    draws = list(draws_of(kept(tmp_path, columns=older)))
    assert draws[0].table["written"].null_count == 4


def test_the_figures_of_draws_by_hand(tmp_path: Path) -> None:
    first, _, last = map(figures_of, draws_of(kept(tmp_path)))
    assert (first.rollouts, first.reward, first.std, first.uniform, first.truncated) == (4, 0.75, pytest.approx(0.75**0.5 / 2), 0.5, 0.25)
    assert (first.tokens, first.tokens_max, first.tokens_p95) == (4.5, 9, pytest.approx(5 + 0.85 * 4))
    assert (last.reward, last.failed, last.version, last.turns) == (0.5, pytest.approx(1 / 3), 1, None)
    header, rows = cells([first, last])
    assert header == ["step", "draw", "version", "rollouts", "reward", "std", "uniform", "failed", "truncated", "tokens", "p95", "most"]
    assert rows[1] == ["2", "2", "1", "3", "0.500", "0.250", "0%", "33%", "0%", "2", "3", "3"]


def test_what_an_environment_counted_is_shown_where_there_is_one(tmp_path: Path) -> None:
    acted = [[[row("a", 0, 1.0, turns=2, calls=3, failed_calls=1), row("a", 1, 0.0, turns=1, calls=0, failed_calls=0)]]]
    text = table_text([figures_of(one) for one in draws_of(kept(tmp_path, acted))])
    assert text.splitlines()[0].endswith("turns  calls  failed calls")
    assert text.splitlines()[1].split()[-3:] == ["1.50", "1.50", "0.50"]


def test_a_draw_without_rewards_has_a_line(tmp_path: Path) -> None:
    broken = [[[row("a", 0, 0.0, failed="no"), row("a", 1, 0.0, failed="no")]]]
    header, rows = cells([figures_of(one) for one in draws_of(kept(tmp_path, broken))])
    assert "reward" not in header and rows[0][header.index("failed")] == "100%"


# ---- choice


@pytest.mark.parametrize(
    ("show", "expected"),
    [
        ("newest", ["2a0", "2a1", "2a2", "1c0", "1c1", "0a0", "0a1", "0b0", "0b1"]),
        ("best", ["0a0", "0b0", "0b1", "1c0", "1c1", "2a1", "2a0", "0a1"]),
        ("worst", ["0a1", "2a0", "2a1", "0a0", "0b0", "0b1", "1c0", "1c1"]),
        ("longest", ["0b0", "0a0", "2a0", "0a1", "0b1", "1c0", "1c1", "2a1", "2a2"]),
        ("failed", ["2a2"]),
        ("truncated", ["0b0"]),
    ],
)
@pytest.mark.parametrize("most", [9, 3, 1, 0])
def test_what_is_picked(show: Show, expected: list[str], most: int, tmp_path: Path) -> None:
    picked = Picked(show, most)
    for draw in draws_of(kept(tmp_path)):
        picked.take(draw)
    assert [f"{one.draw}{one.values['prompt_id']}{one.values['sample']}" for one in picked.rows()] == expected[:most]


@pytest.mark.parametrize(
    ("step", "prompt", "expected"), [(None, None, [4, 2, 3]), (2, None, [2, 3]), (None, "a", [2, 3]), (1, "b", [2]), (2, "c", [2])]
)
def test_steps_and_prompts_are_found(step: int | None, prompt: str | None, expected: list[int], tmp_path: Path) -> None:
    found = list(matching(draws_of(kept(tmp_path)), step, prompt, "it"))
    assert [one.table.num_rows for one in found] == [len(one.uniform) for one in found] == expected


@pytest.mark.parametrize(
    ("step", "prompt", "said"),
    [
        (3, None, "step=3: it has rollouts of steps 1 to 2"),
        (None, "x", "prompt=x: no rollout of it is of it; there are 3: a, b, c"),
        (1, "c", "step=1 prompt=c: it has rollouts of both, but none of this prompt in this step"),
    ],
)
def test_what_is_not_there_is_said(step: int | None, prompt: str | None, said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=said):
        list(matching(draws_of(kept(tmp_path)), step, prompt, "it"))


def test_the_nearest_prompt_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="did you mean 'chat-12'"):
        list(matching(draws_of(kept(tmp_path, [[[row("chat-12", 0, 1.0)]]])), None, "chat-21", "it"))


def test_an_artifact_without_rollouts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no rollouts are kept here, for it was trained by grpo; give a policy that jobs.grpo trained"):
        list(draws_of(kept(tmp_path, [])))


# ---- text


def test_pieces_of_text_are_whole_letters_and_together_the_text() -> None:
    tokenizer = byte_tokenizer()
    text = "I think that 1 + 1 = 2, naïve 🦀 日本\n<think>x</think>"
    ids = tokenizer.encode(text, add_special_tokens=False)
    likelihoods = [-float(place) for place in range(len(ids))]
    found = list(pieces(ids, tokenizer.decode, likelihoods))
    assert "".join(one.text for one in found) == text
    assert [value for one in found for value in one.likelihoods] == likelihoods
    assert max(len(one.likelihoods) for one in found) == 4  # the crab's bytes stay together
    assert not any("\ufffd" in one.text for one in found)
    assert len(found) > 20


def test_an_answer_that_was_cut_within_a_letter_is_shown_all_the_same() -> None:
    tokenizer = byte_tokenizer()
    ids = tokenizer.encode("a🦀", add_special_tokens=False)[:-1]
    found = list(pieces(ids, tokenizer.decode, [-1.0] * len(ids)))
    assert found[0].text == "a" and "\ufffd" in found[-1].text
    assert sum(len(one.likelihoods) for one in found) == len(ids)


def test_bytes_that_are_no_letters_do_not_wait_for_ever() -> None:
    tokenizer = byte_tokenizer()
    ids = tokenizer.encode("é", add_special_tokens=False)[:1] * 50
    found = list(pieces(ids, tokenizer.decode, [-1.0] * 50))
    assert sum(len(one.likelihoods) for one in found) == 50 and max(len(one.likelihoods) for one in found) == 8


def told(*turns: tuple[bool, str], prompt: str = "<|im_start|>user\nhow many?", **given: Any) -> Sample:
    """A rollout of these turns, True where the policy wrote."""
    tokenizer = byte_tokenizer()
    coded = [(own, tokenizer.encode(text, add_special_tokens=False)) for own, text in turns]
    values = {
        **row("p", 0, 0.5),
        "prompt_ids": tokenizer.encode(prompt, add_special_tokens=False),
        "ids": [token for _, ids in coded for token in ids],
        "written": [own for own, ids in coded for _ in ids],
        "logprobs": [-0.25] * sum(len(ids) for own, ids in coded if own),
        **dict.fromkeys(("failed", "turns", "calls", "failed_calls")),
        **given,
    }
    return sample_of(Row(3, "2", values), tokenizer.decode)


CALL = '<tool_call>\n{"name": "add", "arguments": {"a": 1, "note": "é"}}\n</tool_call>'


def test_a_rollout_of_several_turns_in_a_terminal() -> None:
    sample = told(
        (True, f"<think>to add</think>I add.\n{CALL}"),
        (False, "<tool_response>2</tool_response>\n"),
        (True, "Two."),
        parts=json.dumps({"calls": 1.0, "form": 0.5}),
        turns=2,
        calls=1,
        failed_calls=0,
        truncated=True,
        version=1,
    )
    count = len(sample.likelihoods())
    assert sample_text(sample).splitlines() == [
        "== step 2, prompt p, sample 0: reward 0.5, cut off",
        "   parts: calls 1, form 0.5",
        f"   log-likelihood: -0.250 a token, least -0.250 at {min(text for _, text in sample.likelihoods())!r}",
        f"   {count} tokens, 2 turns, 1 calls, 0 failed calls; weights of version 1, draw 3",
        "   prompt | <|im_start|>user",
        "          | how many?",
        "  thought | to add",
        "   answer | I add.",
        "          | <tool_call>",
        '          | {"name": "add", "arguments": {"a": 1, "note": "é"}}',
        "          | </tool_call>",
        '    calls | add(a=1, note="é")',
        "     told | <tool_response>2</tool_response>",
        "   answer | Two.",
    ]


def test_a_thought_that_the_template_began_is_one() -> None:
    assert told((True, "so</think>Yes."), prompt="hm\n<think>\n").said(0).thought == "so"
    assert told((True, "so</think>Yes.")).said(0).thought is None
    endless = told((True, "<think>so it goes"))
    assert endless.said(0).thought is None and "answer | <think>so it goes" in sample_text(endless)


def test_calls_that_cannot_be_read_are_said_to_be() -> None:
    assert "calls | cannot be read" in sample_text(told((True, "<tool_call>{nonsense</tool_call>")))


def test_a_failed_rollout_says_why() -> None:
    text = sample_text(told((True, "x"), failed="letters: ZeroDivisionError"))
    assert ": no reward\n   failed: letters: ZeroDivisionError\n" in text


def test_an_empty_answer_has_no_likelihood() -> None:
    text = sample_text(told(prompt="a"))
    assert "0 tokens" in text and "log-likelihood" not in text


def test_a_long_prompt_is_shown_from_its_end() -> None:
    sample = told((True, "x"), prompt="a" * 500 + "z" * 100)
    assert sample.prompt_end == "…" + "a" * 300 + "z" * 100


def test_terminals_are_given_no_orders() -> None:
    text = sample_text(told((True, HOSTILE), prompt=HOSTILE, prompt_id=HOSTILE, failed=HOSTILE, parts=json.dumps({HOSTILE: 1.0})))
    assert "\\x1b[2J\\x1b]0;mine\\x07 \\u202e" in text
    assert not [one for one in text if one != "\n" and not one.isprintable()]
    assert printable("a\tb\n\r日") == "a\tb\n\\r日"


def test_tokens_and_likelihoods_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="rollout 0 of p, draw 3: .* so the file is damaged"):
        told((True, "two words"), logprobs=[-1.0])


# ---- page


class Parsed(HTMLParser):
    """The tags, attributes and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_page_with_shaded_tokens(tmp_path: Path) -> None:
    sample = told((True, "I think"), (False, "told"), (True, "no"))
    likely = [value for value, _ in sample.likelihoods()]
    figures = [figures_of(one) for one in draws_of(kept(tmp_path))]
    page = Parsed(to_html("file", figures, [sample], "worst"))
    assert not page.open
    assert page.tags.count("article") == 1 and page.tags.count("tr") == 4
    assert [value for name, value in page.attributes if name == "title"] == ["-0.250"] * len(likely)
    assert [value for name, value in page.attributes if name == "class" and value == "s1"] == ["s1"] * (len(likely) + 1)  # and the legend's
    assert "1 rollouts: worst" in page.text and "0.1 or more" in page.text
    assert not [name for name, _ in page.attributes if name in ("src", "href", "srcset")]


def test_hostile_answers_are_text_on_the_page() -> None:
    hostile = {"prompt": HOSTILE, "prompt_id": HOSTILE, "failed": HOSTILE, "parts": json.dumps({HOSTILE: 1.0})}
    call = json.dumps({"name": HOSTILE, "arguments": {HOSTILE: HOSTILE}})
    sample = told((True, f"{HOSTILE}<tool_call>{call}</tool_call>"), (False, HOSTILE), **hostile)
    text = to_html(HOSTILE, [], [sample], "failed")
    page = Parsed(text)
    assert not page.open
    assert set(page.tags).isdisjoint({"script", "img"})
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert page.text.count("<script>alert(1)</script>") >= 6
    assert "default-src 'none'" in text
    assert "\x1b" not in text


@pytest.mark.parametrize(("value", "number"), [(0.0, 0), (-0.1, 0), (-0.11, 1), (-1.5, 3), (-3.0, 4), (-99.0, len(SHADES))])
def test_shades(value: float, number: int) -> None:
    assert shade(value) == number


# ---- the tokenizer


def test_the_trained_models_tokenizer_tells_the_tokens(tmp_path: Path) -> None:
    model = tmp_path / "model"
    byte_tokenizer().save_pretrained(model)
    (model / "model.safetensors").write_bytes(b"weights")
    attempt = Workspace.at(str(tmp_path / "w")).begin("policy", "cd" * 10)
    for path in sorted(model.iterdir()):
        attempt.write(f"model/{path.name}", path.read_bytes())
    body = {"stage": "policy", "fingerprint": "cd" * 10, "algorithm": 1, "identity": {}, "inputs": {}, "metrics": {}}
    artifact = attempt.publish(body)
    ids = byte_tokenizer().encode("<|im_start|>it is , so .", add_special_tokens=False)
    assert decoder_of(artifact)(ids) == "<|im_start|>it is , so ."
    copied = without_weights(artifact, tmp_path / "copy")
    names = {path.name for path in copied.iterdir()}
    assert "tokenizer.json" in names and not [name for name in names if name.endswith(".safetensors")]
    assert (copied / "tokenizer.json").read_bytes() == (model / "tokenizer.json").read_bytes()
