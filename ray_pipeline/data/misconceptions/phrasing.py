"""Wordings that many rules share, training and held-out ones kept apart here once for all."""

from __future__ import annotations

from typing import Final

NAMES: Final = (
    "Aisha", "Ben", "Carys", "Dev", "Elena", "Finn", "Grace", "Hamza", "Isla", "Jamal", "Keira", "Liam",
    "Mina", "Noah", "Orla", "Priya", "Quinn", "Rosa", "Sam", "Tariq", "Uma", "Viktor", "Wen", "Yusuf", "Zara",
)  # fmt: skip

CLOSINGS: Final = (" So my answer is {}.", " That gives {}.", " I get {}.", " The answer must be {}.")


def work_out(expression: str) -> tuple[str, ...]:
    """Training wordings of a bare calculation."""
    return (
        f"Work out {expression}",
        f"Calculate {expression}",
        f"What is {expression}?",
        f"Find the value of {expression}",
        f"{expression} = ?",
    )


def evaluate(expression: str) -> tuple[str, ...]:
    """Held-out wordings of a bare calculation."""
    return (
        f"Evaluate: {expression}",
        f"{{name}} types {expression} into a calculator. Which number should appear?",
        f"{expression} = \u2605 Which value belongs in place of the star?",
    )


def do(verb: str, expression: str) -> tuple[str, ...]:
    """Training wordings of an instruction such as "Expand"."""
    return (
        f"{verb} {expression}",
        f"{verb} the following: {expression}",
        f"{verb} {expression} fully, where possible",
        f"{{name}} has to {verb[0].lower()}{verb[1:]} {expression}. What is the result?",
    )


def redo(verb: str, expression: str) -> tuple[str, ...]:
    """Held-out wordings of an instruction."""
    return (
        f"Your task is to {verb[0].lower()}{verb[1:]} {expression}. What should you write?",
        f"Look at {expression} on the board. Which answer do you get if you {verb[0].lower()}{verb[1:]} it?",
    )


def solve(equation: str, unknown: str = "x") -> tuple[str, ...]:
    """Training wordings of an equation."""
    return (
        f"Solve {equation}",
        f"Solve the equation {equation}",
        f"Find the value of {unknown} when {equation}",
        f"What is {unknown} if {equation}?",
    )


def satisfy(equation: str, unknown: str = "x") -> tuple[str, ...]:
    """Held-out wordings of an equation."""
    return (
        f"Which value of {unknown} makes this true? {equation}",
        f"{{name}} writes down {equation}. What number does {unknown} stand for?",
    )
