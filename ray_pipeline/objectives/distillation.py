"""Distillation of a teacher's scores into the order of each query's own list.

For the list of a query (its drawn positive, then its own negatives):

    T_s^2 * sum over the list of p * (log p - log q),   p = softmax(teacher / T_t),   q = softmax(student / T_s)

(Hinton et al., arXiv 1503.02531; separate temperatures as in sentence-transformers' DistillKLDivLoss). The student is the
*similarity* (a cosine lies in [-1, 1]), not the contrastive logit: it is divided by T_s and by nothing else. The teacher's
scores are raw logits; a sigmoid in front would flatten what is to be learned.

Entries the teacher did not score (NaN) and places past the end of a shorter list are left out of both softmaxes. A query
with fewer than two scored entries has no order to learn: its loss is 0 and it is counted.
"""

from __future__ import annotations

import torch
from torch import Tensor


def distillation_rows(student: Tensor, teacher: Tensor, student_temperature: float, teacher_temperature: float) -> tuple[Tensor, Tensor]:
    """From [c, 1 + K] similarities and teacher scores (NaN: unknown): [c] each query's loss, and whether it was left out."""
    scored = ~teacher.isnan()
    left_out = scored.sum(1) < 2
    scored &= ~left_out[:, None]
    teacher = teacher.to(student.dtype) / teacher_temperature
    log_p, log_q = _log_softmax(teacher, scored), _log_softmax(student / student_temperature, scored)
    p = torch.where(scored, log_p.exp(), 0)
    return student_temperature**2 * (torch.xlogy(p, p) - p * log_q).sum(1), left_out


def _log_softmax(values: Tensor, among: Tensor) -> Tensor:
    """The log-softmax over the entries of each row that are `among`; 0 at the others."""
    outside = torch.where(among.any(1, keepdim=True), -torch.inf, 0.0).to(values.dtype)  # a row of -inf alone would have NaN gradients
    return torch.where(among, torch.where(among, values, outside).log_softmax(1), 0)
