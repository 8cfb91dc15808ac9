"""The whole objective against Python loops over pairs, and what must hold however the batch is cut."""

from __future__ import annotations

import dataclasses
import math
import random
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ray_pipeline.errors import DataError, SettingsError
from ray_pipeline.objectives.batch_facts import BatchFacts, KnownPositives
from ray_pipeline.objectives.contrastive import contrastive_backward, contrastive_loss, initial_log_temperature
from ray_pipeline.objectives.contrastive_settings import ContrastiveSettings

REASONS = ("same_id", "same_text", "known", "margin", "guide")
DIRECTIONS = [
    ("query_to_doc",),
    ("query_to_doc", "doc_to_query"),
    ("query_to_doc", "query_to_query"),
    ("query_to_doc", "query_to_query", "doc_to_query", "doc_to_doc"),
    ("query_to_doc", "doc_to_doc"),
]


@dataclasses.dataclass
class Case:
    """A batch as Python lists: few ids, texts and groups, so that everything coincides somewhere."""

    own: list[list[int]]
    ids: list[int]
    texts: list[int]
    query_texts: list[int]
    query_groups: list[int]
    doc_groups: list[int]
    known: list[list[tuple[int, int]]]
    teacher: list[list[float]]
    weights: list[float]
    queries: Tensor
    documents: Tensor
    guide_queries: Tensor
    guide_documents: Tensor

    def facts(self, rows: range | None = None) -> BatchFacts:
        width = max(map(len, self.own))
        flat = [pair for pairs in self.known for pair in pairs]
        return BatchFacts(
            rows=rows or range(len(self.own)),
            own=torch.tensor([row + [-1] * (width - len(row)) for row in self.own]),
            doc_id=torch.tensor(self.ids),
            doc_text=torch.tensor(self.texts),
            query_text=torch.tensor(self.query_texts),
            query_group=torch.tensor(self.query_groups),
            doc_group=torch.tensor(self.doc_groups),
            known=KnownPositives(
                torch.tensor([0, *map(len, self.known)]).cumsum(0),
                torch.tensor([one for one, _ in flat], dtype=torch.int64),
                torch.tensor([text for _, text in flat], dtype=torch.int64),
            ),
            teacher=torch.tensor([row + [math.nan] * (width - len(row)) for row in self.teacher]),
            weight=torch.tensor(self.weights),
            guide_queries=self.guide_queries,
            guide_documents=self.guide_documents,
        )


def draw(seed: int, queries: int = 5, most: int = 2, universe: int = 9, dim: int = 6) -> Case:
    rng = random.Random(seed)
    torch.manual_seed(seed)
    text_of = [rng.randrange(universe) for _ in range(universe)]
    group_of = [rng.choice([-1, -1, 0, 1]) for _ in range(universe)]
    own: list[list[int]] = []
    ids: list[int] = []
    for _ in range(queries):
        count = 1 + rng.randint(0, most)
        own.append(list(range(len(ids), len(ids) + count)))
        ids += [rng.randrange(universe) for _ in range(count)]
    known = [sorted({ids[row[0]], *rng.sample(range(universe), rng.randint(0, 2))}) if rng.random() < 0.9 else [] for row in own]
    return Case(
        own,
        ids,
        [text_of[one] for one in ids],
        [rng.choice([*range(universe), 100, 101, 100, 101]) for _ in own],
        [rng.choice([-1, 0, 1]) for _ in own],
        [group_of[one] for one in ids],
        [[(one, text_of[one]) for one in row] for row in known],
        [[math.nan if rng.random() < 0.3 else rng.uniform(-3, 3) for _ in row] for row in own],
        [rng.choice([0.5, 1.0]) for _ in own],
        *(torch.randn(count, dim, dtype=torch.float64) for count in (queries, len(ids), queries, len(ids))),
    )


def cosine(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b) / (a.norm() * b.norm())


def log_sum(values: list[Tensor]) -> Tensor:
    return torch.stack([value.exp() for value in values]).sum().log()


def slowly(
    case: Case, queries: Tensor, documents: Tensor, s: ContrastiveSettings, log_t: Tensor | None = None
) -> tuple[list[Tensor], dict[str, float]]:
    """Each query's loss and the counts, one pair at a time."""
    temperature = torch.tensor(s.temperature, dtype=torch.float64) if log_t is None else log_t.exp()
    dims = s.matryoshka_dims or (queries.shape[1],)
    losses = [torch.zeros((), dtype=torch.float64)] * len(case.own)
    counts = dict.fromkeys(("correct", "without_negatives", "without_teacher", *(f"masked_{name}" for name in REASONS)), 0.0)
    for dim, weight in zip(dims, s.matryoshka_weights or (1.0,) * len(dims), strict=True):

        def sim(a: Tensor, b: Tensor, dim: int = dim) -> Tensor:
            return cosine(a[:dim], b[:dim]) if s.similarity == "cosine" else a[:dim] @ b[:dim]

        for i, own in enumerate(case.own):
            t, known = own[0], {one for one, _ in case.known[i]}
            texts = {case.texts[t], *(text for _, text in case.known[i])}
            drawn = sim(queries[i], documents[t])

            def relevant(k: int, i: int = i, known: set[int] = known) -> bool:
                return case.ids[k] in known or (case.query_groups[i] >= 0 and case.doc_groups[k] == case.query_groups[i])

            itself = case.query_texts[i]
            others = {k for k in range(len(case.ids)) if (relevant(k) or case.ids[k] == case.ids[t]) and case.texts[k] != itself}
            positives = [t] if s.positives == "one" else sorted({t} | others)

            def reason(score: Tensor, guided: Tensor, flags: tuple[bool, bool, bool], drawn: Tensor = drawn, i: int = i, t: int = t) -> str | None:
                everything = s.positives != "one"
                if flags[0] and (s.mask_same_id or everything):
                    return "same_id"
                if flags[1] and s.mask_same_text:
                    return "same_text"
                if flags[2] and (s.mask_known or everything):
                    return "known"
                if s.mask_margin is not None and score > drawn + s.mask_margin:
                    return "margin"
                if s.guide_margin is not None and guided > cosine(case.guide_queries[i], case.guide_documents[t]) + s.guide_margin:
                    return "guide"
                return None

            left: dict[str, list[Tensor]] = {direction: [] for direction in s.directions}
            beaten = True
            for direction in s.directions:
                on_left, on_right = direction.split("_to_")
                vector = queries[i] if on_left == "query" else documents[t]
                guide = case.guide_queries[i] if on_left == "query" else case.guide_documents[t]
                for j in range(len(case.ids) if on_right == "doc" else len(case.own)):
                    if on_right == "doc":
                        if j in positives or (on_left == "doc" and j in own):
                            continue
                        flags = (case.ids[j] == case.ids[t], case.texts[j] in texts or case.texts[j] == itself, relevant(j))
                        score, guided = sim(vector, documents[j]), cosine(guide, case.guide_documents[j])
                    else:
                        if j == i:
                            continue
                        theirs = case.own[j][0]
                        same_group = case.query_groups[i] >= 0 and case.query_groups[i] == case.query_groups[j]
                        held = case.ids[t] in {one for one, _ in case.known[j]}
                        flags = (
                            case.ids[theirs] == case.ids[t],
                            case.texts[theirs] in texts or case.query_texts[i] == case.query_texts[j],
                            case.ids[theirs] in known or same_group or held,
                        )
                        score, guided = sim(vector, queries[j]), cosine(guide, case.guide_queries[j])
                    out = reason(score, guided, flags)
                    if out is not None:
                        counts[f"masked_{out}"] += dim == max(dims)
                        continue
                    logit = score / temperature
                    if direction == "query_to_doc":
                        beaten = beaten and bool(drawn > score)
                        hard = {"none": False, "in_batch_negatives": j not in own, "hard_negatives": j in own, "all_negatives": True}[s.hardness]
                        logit = logit + s.hardness_strength * score.detach() * hard
                    left[direction].append(logit)

            logits = {p: sim(queries[i], documents[p]) / temperature for p in positives}
            if s.partition == "joint":
                pools = [[value for values in left.values() for value in values] + ([drawn / temperature] if "doc_to_query" in left else [])]
            else:
                pools = list(left.values())
            terms = []
            for at, pool in enumerate(pools):
                if at == 1 or s.positives == "one":
                    terms.append(log_sum([logits[t], *pool]) - logits[t])
                elif s.positives == "each":
                    terms.append(torch.stack([log_sum([*logits.values(), *pool]) - one for one in logits.values()]).mean())
                else:
                    terms.append(torch.stack([log_sum([one, *pool]) - one for one in logits.values()]).mean())
            alone = not any(left.values())
            contrastive = 0.0 * logits[t] if alone else torch.stack(terms).mean()  # the product keeps a graph, though nothing is left
            scored = [(sim(queries[i], documents[k]), value) for k, value in zip(own, case.teacher[i], strict=True) if not math.isnan(value)]
            kl = torch.zeros_like(drawn)
            if s.distill_weight > 0 and len(scored) > 1:
                student = torch.stack([one for one, _ in scored]) / s.student_temperature
                teacher = torch.tensor([float(torch.tensor(value)) for _, value in scored], dtype=torch.float64) / s.teacher_temperature
                p, q = teacher.exp() / teacher.exp().sum(), student.exp() / student.exp().sum()
                kl = s.student_temperature**2 * (p * (p / q).log()).sum()
            losses[i] = losses[i] + weight * case.weights[i] * (s.ce_weight * contrastive + s.distill_weight * kl)
            if dim == max(dims):
                counts["correct"] += beaten
                counts["without_negatives"] += alone
                counts["without_teacher"] += s.distill_weight > 0 and len(scored) < 2
    return losses, counts


@st.composite
def objectives(draw_: Any) -> dict[str, Any]:
    found = {
        "temperature": draw_(st.sampled_from([0.05, 0.5])),
        "similarity": draw_(st.sampled_from(["cosine", "dot"])),
        "directions": draw_(st.sampled_from(DIRECTIONS)),
        "partition": draw_(st.sampled_from(["joint", "per_direction"])),
        "hardness": draw_(st.sampled_from(["none", "in_batch_negatives", "hard_negatives", "all_negatives"])),
        "positives": draw_(st.sampled_from(["one", "each", "others_removed"])),
        "mask_margin": draw_(st.sampled_from([None, 0.05, -0.1])),
        "guide_margin": draw_(st.sampled_from([None, 0.05, -0.1])),
        "distill_weight": draw_(st.sampled_from([0.0, 0.7])),
        "ce_weight": draw_(st.sampled_from([1.0, 0.3])),
        "student_temperature": 0.4,
        "teacher_temperature": 2.0,
        **{name: draw_(st.booleans()) for name in ("mask_same_id", "mask_same_text", "mask_known")},
    }
    if draw_(st.booleans()):
        found |= {"matryoshka_dims": (3, 6), "matryoshka_weights": (0.5, 2.0)}
    if {"query_to_query", "doc_to_doc"} & set(found["directions"]):
        found["partition"] = "joint"
    if "doc_to_query" in found["directions"] and found["partition"] == "joint":
        found["positives"] = "one"
    return found | {"hardness_strength": 0.0 if found["hardness"] == "none" else 5.0}


def leaves(case: Case, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    return case.queries.to(dtype).clone().requires_grad_(), case.documents.to(dtype).clone().requires_grad_()


@settings(max_examples=120, deadline=None)
@given(objectives(), st.integers(0, 10_000))
def test_any_objective_is_what_loops_over_pairs_give(chosen: dict[str, Any], seed: int) -> None:
    case, s = draw(seed), ContrastiveSettings(**chosen, chunk_rows=2)
    ours, plain, slow = leaves(case), leaves(case), leaves(case)
    losses, counts = slowly(case, *slow, s)
    torch.stack(losses).sum().backward()
    torch.testing.assert_close(contrastive_loss(*plain, case.facts(), s), torch.stack(losses), rtol=1e-9, atol=1e-10)
    contrastive_loss(*plain, case.facts(), s).sum().backward()
    sums = contrastive_backward(*ours, case.facts(), s, scale=0.25)
    assert sums["loss"] == pytest.approx(float(torch.stack(losses).detach().sum()), rel=1e-9, abs=1e-9)
    assert sums["loss"] == pytest.approx(s.ce_weight * sums["contrastive"] + s.distill_weight * sums["distillation"])
    assert {name: sums[name] for name in counts} == counts
    for mine, whole, theirs in zip(ours, plain, slow, strict=True):
        torch.testing.assert_close(whole.grad, theirs.grad, rtol=1e-8, atol=1e-9)
        torch.testing.assert_close(mine.grad, 0.25 * whole.grad, rtol=1e-10, atol=1e-11)  # type: ignore[operator]


@settings(max_examples=40, deadline=None)
@given(objectives(), st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 7))
def test_ranks_add_up_to_one_process(chosen: dict[str, Any], seed: int, cut: int, chunk_rows: int) -> None:
    case = draw(seed)
    one, many = leaves(case), leaves(case)
    whole = contrastive_backward(*one, case.facts(), ContrastiveSettings(**chosen, chunk_rows=99))
    parts = [
        contrastive_backward(*many, case.facts(rows), ContrastiveSettings(**chosen, chunk_rows=chunk_rows)) for rows in (range(cut), range(cut, 5))
    ]
    for name, value in whole.items():
        assert sum(part[name] for part in parts) == pytest.approx(value, rel=1e-9, abs=1e-9), name
    for mine, theirs in zip(many, one, strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-10, atol=1e-11)


@settings(max_examples=20, deadline=None)
@given(objectives(), st.integers(0, 10_000))
def test_a_learned_temperature_has_the_slow_gradient(chosen: dict[str, Any], seed: int) -> None:
    case, s = draw(seed), ContrastiveSettings(**chosen, learnable_temperature=True, chunk_rows=2)
    mine, theirs = (torch.tensor(math.log(s.temperature), dtype=torch.float64, requires_grad=True) for _ in range(2))
    losses, _ = slowly(case, *leaves(case), s, theirs)
    torch.stack(losses).sum().backward()
    contrastive_backward(*leaves(case), case.facts(), s, mine)
    torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-8, atol=1e-9)


def test_the_temperature_stops_at_its_bound_and_can_come_back() -> None:
    case, s = draw(3), ContrastiveSettings(learnable_temperature=True, temperature=0.01)
    log_temperature = initial_log_temperature(s)
    assert log_temperature.exp().item() == pytest.approx(0.01)
    with torch.no_grad():
        log_temperature.fill_(-9.0)
    contrastive_backward(*leaves(case), case.facts(), s, log_temperature)
    assert log_temperature.item() == pytest.approx(-math.log(100), rel=1e-6)
    assert log_temperature.grad is not None and log_temperature.grad.abs() > 0
    beyond = contrastive_loss(*leaves(case), case.facts(), s, torch.tensor(-9.0))
    fixed = contrastive_loss(*leaves(case), case.facts(), ContrastiveSettings(temperature=0.01))
    torch.testing.assert_close(beyond, fixed, rtol=1e-5, atol=1e-6)


# two queries and two documents in the plane, similarities 1, 0, 0.6, 0.8
QUERIES = torch.tensor([[1.0, 0.0], [0.6, 0.8]], dtype=torch.float64)
DOCUMENTS = torch.tensor([[2.0, 0.0], [0.0, 3.0]], dtype=torch.float64)


def two(**more: Any) -> BatchFacts:
    given = {"own": torch.tensor([[0], [1]]), "doc_id": torch.tensor([7, 8]), "doc_text": torch.tensor([70, 80]), "query_text": torch.tensor([1, 2])}
    return BatchFacts(rows=range(2), **{**given, **more})


def test_info_nce_of_two_pairs_by_hand() -> None:
    s = ContrastiveSettings(temperature=0.5)
    # logits 2, 0 | 1.2, 1.6:  log(1 + e^-2) = 0.126928, log(1 + e^-0.4) = 0.513015
    torch.testing.assert_close(contrastive_loss(QUERIES, DOCUMENTS, two(), s).tolist(), [0.126928, 0.513015], rtol=0, atol=1e-6)
    sums = contrastive_backward(QUERIES.clone().requires_grad_(), DOCUMENTS.clone().requires_grad_(), two(), s)
    assert sums["loss"] == pytest.approx(0.639943, abs=1e-6)
    assert sums["positive_cosine"] == pytest.approx(1.8) and sums["off_diagonal_cosine"] == pytest.approx(0.6)
    assert (sums["correct"], sums["queries"], sums["weight"], sums["off_diagonal_pairs"], sums["without_negatives"]) == (2, 2, 2, 2, 0)


def test_matryoshka_by_hand() -> None:
    s = ContrastiveSettings(temperature=0.5, matryoshka_dims=(1, 2), matryoshka_weights=(0.5, 1.0))
    # one dimension: queries 1, 1; documents 1, 0 (the zero vector stays zero): logits 2, 0 in both rows: 0.126928, 2.126928
    expected = [0.126928 * 1.5, 0.513015 + 0.5 * 2.126928]
    torch.testing.assert_close(contrastive_loss(QUERIES, DOCUMENTS, two(), s).tolist(), expected, rtol=0, atol=1e-6)


def test_weights_of_queries_scale_their_losses() -> None:
    s = ContrastiveSettings(temperature=0.5)
    losses = contrastive_loss(QUERIES, DOCUMENTS, two(weight=torch.tensor([2.0, 0.0])), s)
    torch.testing.assert_close(losses.tolist(), [0.253856, 0.0], rtol=0, atol=1e-6)
    sums = contrastive_backward(QUERIES.clone().requires_grad_(), DOCUMENTS.clone().requires_grad_(), two(weight=torch.tensor([2.0, 0.0])), s)
    assert sums["weight"] == 2.0 and sums["loss"] == pytest.approx(0.253856, abs=1e-6)


def test_guide_vectors_in_half_precision_are_compared_in_float32() -> None:
    case, s = draw(4, queries=30, universe=90, dim=32), ContrastiveSettings(guide_margin=0.0)
    half = dataclasses.replace(case.facts(), guide_queries=case.guide_queries.bfloat16(), guide_documents=case.guide_documents.bfloat16())
    full = dataclasses.replace(half, guide_queries=half.guide_queries.float(), guide_documents=half.guide_documents.float())  # type: ignore[union-attr]
    losses = [contrastive_loss(case.queries, case.documents, facts, s) for facts in (half, full)]
    assert torch.equal(*losses)


@pytest.mark.parametrize("directions", DIRECTIONS)
def test_rows_without_any_negative_cost_nothing_and_harm_nothing(directions: tuple[str, ...]) -> None:
    s = ContrastiveSettings(directions=directions)  # type: ignore[arg-type]
    facts = two(doc_id=torch.tensor([7, 7]))  # each other's positive is the own one
    queries, documents = QUERIES.clone().requires_grad_(), DOCUMENTS.clone().requires_grad_()
    sums = contrastive_backward(queries, documents, facts, s)
    assert sums["loss"] == 0 and sums["without_negatives"] == 2 and sums["masked_same_id"] == 2 * len(directions)
    assert queries.grad is not None and not queries.grad.any()
    assert documents.grad is not None and not documents.grad.any()
    plain = QUERIES.clone().requires_grad_()
    contrastive_loss(plain, DOCUMENTS, facts, s).sum().backward()
    assert plain.grad is not None and not plain.grad.any()


def test_several_positives_without_a_negative_cost_nothing() -> None:
    facts = two(query_group=torch.tensor([4, 4]), doc_group=torch.tensor([4, 4]))
    for positives in ("each", "others_removed"):
        queries = QUERIES.clone().requires_grad_()
        losses = contrastive_loss(queries, DOCUMENTS, facts, ContrastiveSettings(positives=positives))
        losses.sum().backward()
        assert losses.tolist() == [0, 0] and queries.grad is not None and not queries.grad.any()


def test_the_order_of_documents_changes_nothing() -> None:
    case, s = draw(5), ContrastiveSettings(directions=DIRECTIONS[3], mask_margin=0.1)
    order = torch.randperm(len(case.ids))
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order))
    facts = case.facts()
    moved = dataclasses.replace(
        facts,
        own=torch.where(facts.own < 0, -1, place[facts.own]),
        doc_id=facts.doc_id[order],
        doc_text=facts.doc_text[order],
        doc_group=facts.doc_group[order],  # type: ignore[index]
        guide_documents=None,
        guide_queries=None,
    )
    before, after = contrastive_loss(case.queries, case.documents, facts, s), contrastive_loss(case.queries, case.documents[order], moved, s)
    torch.testing.assert_close(after, before, rtol=1e-12, atol=1e-12)


def test_the_order_of_own_negatives_changes_nothing() -> None:
    case = draw(8, most=3)
    s = ContrastiveSettings(hardness="hard_negatives", hardness_strength=5.0, distill_weight=1.0)
    before = contrastive_loss(case.queries, case.documents, case.facts(), s)
    case.own = [[row[0], *reversed(row[1:])] for row in case.own]
    case.teacher = [[row[0], *reversed(row[1:])] for row in case.teacher]
    torch.testing.assert_close(contrastive_loss(case.queries, case.documents, case.facts(), s), before, rtol=1e-12, atol=1e-12)


def test_cosines_do_not_see_lengths() -> None:
    case, s = draw(9), ContrastiveSettings(directions=DIRECTIONS[3], matryoshka_dims=(4, 2))
    lengths = torch.rand(len(case.ids), 1, dtype=torch.float64) + 0.5
    before = contrastive_loss(case.queries, case.documents, case.facts(), s)
    torch.testing.assert_close(contrastive_loss(3 * case.queries, lengths * case.documents, case.facts(), s), before, rtol=1e-12, atol=1e-12)
    dot = ContrastiveSettings(similarity="dot", temperature=1.0)
    assert not torch.allclose(
        contrastive_loss(3 * case.queries, case.documents, case.facts(), dot), contrastive_loss(*leaves(case), case.facts(), dot)
    )


def test_the_positive_brought_twice_changes_nothing_when_its_id_is_masked() -> None:
    twice = two(doc_id=torch.tensor([7, 8, 7]), doc_text=torch.tensor([70, 80, 71]))
    documents = torch.cat([DOCUMENTS, DOCUMENTS[:1]])
    on, off = ContrastiveSettings(mask_same_text=False), ContrastiveSettings(mask_same_text=False, mask_same_id=False)
    once = contrastive_loss(QUERIES, DOCUMENTS, two(), on)
    torch.testing.assert_close(contrastive_loss(QUERIES, documents, twice, on)[0], once[0])
    assert contrastive_loss(QUERIES, documents, twice, off)[0] > once[0] + 0.5


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_vectors_are_compared_in_float32(dtype: torch.dtype) -> None:
    case, s = draw(4), ContrastiveSettings(temperature=0.02)
    half = leaves(case, dtype)
    full = tuple(vectors.detach().float().requires_grad_() for vectors in half)
    assert contrastive_backward(*half, case.facts(), s) == contrastive_backward(*full, case.facts(), s)
    assert half[1].grad is not None and half[1].grad.dtype == dtype
    torch.testing.assert_close(half[1].grad, full[1].grad.to(dtype))  # type: ignore[union-attr]


def test_autocast_does_not_reach_the_scores() -> None:
    case, s = draw(4, dim=64), ContrastiveSettings(temperature=0.02)
    plain, cast = leaves(case, torch.float32), leaves(case, torch.float32)
    expected = contrastive_backward(*plain, case.facts(), s)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert contrastive_backward(*cast, case.facts(), s) == expected
        losses = contrastive_loss(*cast, case.facts(), s)
    assert losses.dtype == torch.float32 and float(losses.detach().sum(dtype=torch.float64)) == pytest.approx(expected["loss"], rel=1e-6)
    torch.testing.assert_close(cast[0].grad, plain[0].grad, rtol=0, atol=0)


def test_the_same_batch_gives_the_same_bytes() -> None:
    case, s = draw(6, queries=40, universe=30, dim=64), ContrastiveSettings(positives="each", chunk_rows=16)
    runs = [leaves(case, torch.float32) for _ in range(2)]
    sums = [contrastive_backward(*run, case.facts(), s) for run in runs]
    assert sums[0] == sums[1]
    assert torch.equal(runs[0][0].grad, runs[1][0].grad) and torch.equal(runs[0][1].grad, runs[1][1].grad)  # type: ignore[arg-type]


def test_gradients_pile_up_over_calls() -> None:
    case, s = draw(2), ContrastiveSettings()
    once, twice = leaves(case), leaves(case)
    contrastive_backward(*once, case.facts(), s)
    for _ in range(2):
        contrastive_backward(*twice, case.facts(), s)
    torch.testing.assert_close(twice[0].grad, 2 * once[0].grad)  # type: ignore[operator]


def test_no_tensor_of_queries_by_documents_is_made() -> None:
    from torch.utils._python_dispatch import TorchDispatchMode

    class Largest(TorchDispatchMode):
        elements = 0

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            made = func(*args, **(kwargs or {}))
            for one in made if isinstance(made, tuple | list) else [made]:
                if isinstance(one, Tensor):
                    self.elements = max(self.elements, one.numel())
            return made

    case = draw(1, queries=120, universe=400, dim=8)
    s = ContrastiveSettings(directions=DIRECTIONS[3], chunk_rows=10, mask_margin=0.3, guide_margin=0.3, distill_weight=1.0)
    with Largest() as largest:
        contrastive_backward(*leaves(case), case.facts(), s)
    assert largest.elements == 10 * len(case.ids)  # a chunk of rows by all documents


def test_distillation_without_teacher_scores_is_refused() -> None:
    with pytest.raises(DataError, match=r"distill_weight=0\.5.*no teacher scores.*distill_weight=0"):
        contrastive_loss(QUERIES, DOCUMENTS, two(), ContrastiveSettings(distill_weight=0.5))


def test_a_guide_margin_without_a_guide_is_refused() -> None:
    with pytest.raises(DataError, match=r"guide_margin.*guide model"):
        contrastive_loss(QUERIES, DOCUMENTS, two(), ContrastiveSettings(guide_margin=0.0))


def test_a_matryoshka_size_beyond_the_model_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"matryoshka_dims: 4.*2 dimensions"):
        contrastive_backward(QUERIES, DOCUMENTS, two(), ContrastiveSettings(matryoshka_dims=(4, 2)))


def test_a_temperature_is_given_exactly_when_it_is_learned() -> None:
    with pytest.raises(ValueError, match="learnable_temperature is True"):
        contrastive_loss(QUERIES, DOCUMENTS, two(), ContrastiveSettings(learnable_temperature=True))
    with pytest.raises(ValueError, match="learnable_temperature is False"):
        contrastive_loss(QUERIES, DOCUMENTS, two(), ContrastiveSettings(), torch.tensor(0.0))


def test_vectors_of_another_batch_are_refused() -> None:
    for queries, documents in ((QUERIES[:1], DOCUMENTS), (QUERIES, DOCUMENTS[:1]), (QUERIES[:, :1], DOCUMENTS)):
        with pytest.raises(ValueError, match="the facts are of 2 queries and 2 documents"):
            contrastive_loss(queries, documents, two(), ContrastiveSettings())


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"rows": range(0)}, "no block"),
        ({"rows": range(1, 3)}, "no block"),
        ({"rows": range(0, 2, 2)}, "no block"),
        ({"own": torch.tensor([[0], [2]])}, "columns lie in"),
        ({"own": torch.tensor([[0], [-1]])}, "needs a drawn positive"),
        ({"doc_text": torch.tensor([1])}, "doc_text has 1 rows"),
        ({"query_text": torch.tensor([1])}, "query_text has 1 rows"),
        ({"query_group": torch.tensor([1, 1])}, "query_group and doc_group come together"),
        ({"guide_queries": torch.ones(2, 2)}, "guide_queries and guide_documents come together"),
        ({"teacher": torch.ones(2, 3)}, "parallel to own"),
        ({"known": KnownPositives(torch.tensor([0, 1]), torch.tensor([7]), torch.tensor([70]))}, r"known\.start has 2 rows"),
    ],
)
def test_facts_that_do_not_fit_are_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        dataclasses.replace(two(), **change)
