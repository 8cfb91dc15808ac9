from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.objectives.distillation import distillation_rows

NAN = math.nan


def test_two_entries_by_hand() -> None:
    student = torch.tensor([[2.0, 0.0]], dtype=torch.float64)
    teacher = torch.tensor([[2 * math.log(9), 0.0]], dtype=torch.float64)
    # T_t = 2: p = (9, 1) / 10 = (0.9, 0.1); T_s = 2: q = (e, 1) / (1 + e) = (0.731059, 0.268941)
    # 4 * (0.9 ln(0.9 / 0.731059) + 0.1 ln(0.1 / 0.268941)) = 4 * (0.187111 - 0.098932) = 0.352715
    loss, left_out = distillation_rows(student, teacher, 2.0, 2.0)
    assert loss.item() == pytest.approx(0.352715, abs=1e-6)
    assert left_out.tolist() == [False]


def test_a_student_that_agrees_costs_nothing() -> None:
    scores = torch.tensor([[2.0, -1.0, 0.3]], dtype=torch.float64, requires_grad=True)
    loss, _ = distillation_rows(scores, 3 * scores.detach() + 5, 1.0, 3.0)  # a softmax does not see the 5
    loss.sum().backward()
    assert loss.item() == pytest.approx(0, abs=1e-12) and scores.grad is not None and scores.grad.abs().max() < 1e-12


def test_unscored_entries_leave_both_softmaxes() -> None:
    student = torch.tensor([[0.4, 9.0, -0.2, 0.1]], dtype=torch.float64, requires_grad=True)
    teacher = torch.tensor([[1.0, NAN, 0.5, -2.0]], dtype=torch.float64)
    loss, left_out = distillation_rows(student, teacher, 0.7, 1.5)
    shorter, _ = distillation_rows(student.detach()[:, [0, 2, 3]], teacher[:, [0, 2, 3]], 0.7, 1.5)
    loss.sum().backward()
    torch.testing.assert_close(loss.detach(), shorter)
    assert not left_out.any() and student.grad is not None and student.grad[0, 1] == 0 and student.grad[0].abs().sum() > 0


def test_a_list_of_one_scored_entry_or_none_is_left_out_without_harm() -> None:
    student = torch.tensor([[0.4, 9.0], [0.1, 0.2], [1.0, 0.0]], dtype=torch.float64, requires_grad=True)
    teacher = torch.tensor([[NAN, 2.0], [NAN, NAN], [1.0, 3.0]], dtype=torch.float64)
    loss, left_out = distillation_rows(student, teacher, 1.0, 1.0)
    loss.sum().backward()
    assert left_out.tolist() == [True, True, False]
    assert loss[:2].tolist() == [0, 0] and loss[2] > 0.5
    assert student.grad is not None and not student.grad[:2].any() and student.grad[2].abs().min() > 0.1


def test_a_broken_student_shows() -> None:
    loss, _ = distillation_rows(torch.tensor([[NAN, 0.0]]), torch.tensor([[1.0, 0.0]]), 1.0, 1.0)
    assert loss.isnan().all()


def test_teacher_scores_far_apart_give_no_nan() -> None:
    student = torch.tensor([[0.1, 0.9, 0.3]], requires_grad=True)
    loss, _ = distillation_rows(student, torch.tensor([[500.0, -500.0, 0.0]]), 1.0, 0.1)
    loss.sum().backward()
    assert loss.isfinite().all() and student.grad is not None and student.grad.isfinite().all()


ROWS = st.lists(st.tuples(st.floats(-2, 2), st.one_of(st.just(NAN), st.floats(-5, 5))), min_size=1, max_size=5)


@given(ROWS, st.sampled_from([0.2, 1.0, 3.0]), st.sampled_from([0.5, 2.0]))
def test_any_list_is_what_the_slow_way_gives(row: list[tuple[float, float]], student_temperature: float, teacher_temperature: float) -> None:
    scored = [(s / student_temperature, t / teacher_temperature) for s, t in row if not math.isnan(t)]
    expected = 0.0
    if len(scored) > 1:
        q, p = (sum(math.exp(pair[side]) for pair in scored) for side in (0, 1))
        for s, t in scored:
            expected += math.exp(t) / p * (math.log(math.exp(t) / p) - math.log(math.exp(s) / q)) * student_temperature**2
    columns = torch.tensor(row, dtype=torch.float64)
    loss, left_out = distillation_rows(columns[None, :, 0], columns[None, :, 1], student_temperature, teacher_temperature)
    assert loss.item() == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert left_out.item() == (len(scored) < 2)
