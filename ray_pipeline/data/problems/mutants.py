"""Programs with one small mistake each: what a judge must tell from right ones, and a measure of a benchmark's tests.

One place of the syntax tree is changed as programmers err: a comparison or an operator for its neighbour, a number one off, a condition
turned round, a statement left out, a wrong return. Some mutants mean the same as the program, so a mutant may rightly pass. Which are made
is a function of the text and the seed.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from typing import Final

from ray_pipeline.data.draw import Draw

COMPARED: Final = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
COMPUTED: Final = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.FloorDiv, ast.FloorDiv: ast.Div, ast.Mod: ast.FloorDiv}

Change = Callable[[ast.AST], None]


def mutants(program: str, count: int, seed: int) -> list[str]:
    """So many mutants of a program, all different from it and from each other; fewer where there are no more."""
    tree = ast.parse(program)
    places = [(at, change) for at, node in enumerate(ast.walk(tree)) for change in _changes(node)]
    drawn = Draw(f"mutants/{seed}/{program}").some(range(len(places)), len(places))
    found: dict[str, None] = {}
    same = ast.unparse(tree)
    for place in drawn:
        if len(found) == count:
            break
        at, change = places[place]
        other = copy.deepcopy(tree)
        change(list(ast.walk(other))[at])
        text = ast.unparse(other)
        if text != same:
            found[text] = None
    return list(found)


def _changes(node: ast.AST) -> Iterator[Change]:
    """What can go wrong at this node."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARED:
        yield _compare
    elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in COMPUTED:
        yield _compute
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        yield from (_one_more, _one_less)
    elif isinstance(node, ast.If | ast.While | ast.IfExp):
        yield _turn
    elif isinstance(node, ast.BoolOp):
        yield _other_word
    elif isinstance(node, ast.Return) and node.value is not None:
        yield _return_nothing
    elif isinstance(node, ast.FunctionDef | ast.For) and len(node.body) > 1:
        yield from (_without(at) for at, inner in enumerate(node.body) if not isinstance(inner, ast.FunctionDef | ast.Import | ast.ImportFrom))


def _compare(node: ast.AST) -> None:
    assert isinstance(node, ast.Compare)
    node.ops[0] = COMPARED[type(node.ops[0])]()


def _compute(node: ast.AST) -> None:
    assert isinstance(node, ast.BinOp | ast.AugAssign)
    node.op = COMPUTED[type(node.op)]()


def _one_more(node: ast.AST) -> None:
    assert isinstance(node, ast.Constant) and isinstance(node.value, int)
    node.value += 1


def _one_less(node: ast.AST) -> None:
    assert isinstance(node, ast.Constant) and isinstance(node.value, int)
    node.value -= 1


def _turn(node: ast.AST) -> None:
    assert isinstance(node, ast.If | ast.While | ast.IfExp)
    node.test = ast.UnaryOp(ast.Not(), node.test)


def _other_word(node: ast.AST) -> None:
    assert isinstance(node, ast.BoolOp)
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()


def _return_nothing(node: ast.AST) -> None:
    assert isinstance(node, ast.Return)
    node.value = ast.Constant(None)


def _without(at: int) -> Change:
    def change(node: ast.AST) -> None:
        assert isinstance(node, ast.FunctionDef | ast.For)
        del node.body[at]

    return change
