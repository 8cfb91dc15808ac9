"""What a bank's clerk is asked, by difficulty.

Levels: 1 one call, its arguments given; 2 a number has to be looked up first; 3 what is done depends on what an account holds; 4 several steps;
5 it has to be refused, or needs no call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.tasks.bank.request import (
    OWNERS,
    Request,
    find,
    give,
    look,
    moved,
    number,
    owner,
    pair,
    refused,
    rich,
    stranger,
    without,
    worded,
)
from ray_pipeline.data.tasks.bank.world import Accounts, next_number

Builder: TypeAlias = Callable[[Accounts, Draw], Request]

# 1: one call


def move(accounts: Accounts, draw: Draw) -> Request:
    a, b = pair(accounts, draw)
    n = draw.whole(1, accounts[a]["cents"])
    text = worded(draw, "Move {n} cents from {a} to {b}.", "Send {n} cents from {a} to {b}.", "Please move {n} cents from {a} to {b}.", n=n, a=a, b=b)
    return Request(text, ((give(a, b, n),),), moved(accounts, (a, b, n)))


def ask(accounts: Accounts, draw: Draw) -> Request:
    a = draw.pick(list(accounts))
    text = worded(draw, "How many cents are on {a}?", "How much does {a} hold?", "What is the balance of {a}?", a=a)
    return Request(text, ((look(a),),), accounts, **number(draw, accounts[a]["cents"]))


def open_one(accounts: Accounts, draw: Draw) -> Request:
    who = stranger(accounts, draw)
    text = worded(draw, "Open an account for {who}.", "Please open an account for {who}.", who=who)
    return Request(text, ((("open_account", {"owner": who}),),), {**accounts, next_number(accounts): {"owner": who, "cents": 0}})


def close_one(accounts: Accounts, draw: Draw) -> Request:
    a = draw.pick([number for number, one in accounts.items() if not one["cents"]])
    return Request(worded(draw, "Close {a}.", "Please close {a}.", a=a), ((("close_account", {"account": a}),),), without(accounts, a))


# 2: a number is looked up


def move_by_name(accounts: Accounts, draw: Draw) -> Request:
    a, b = pair(accounts, draw)
    n, x, y = draw.whole(1, accounts[a]["cents"]), owner(accounts, a), owner(accounts, b)
    text = worded(draw, "Move {n} cents from {x} to {y}.", "Send {n} cents from {x} to {y}.", "{x} gives {y} {n} cents.", n=n, x=x, y=y)
    return Request(text, ((find(x), find(y)), (give(a, b, n),)), moved(accounts, (a, b, n)))


def ask_by_name(accounts: Accounts, draw: Draw) -> Request:
    a = draw.pick(list(accounts))
    x = owner(accounts, a)
    text = worded(draw, "How many cents does {x} have?", "How much does {x} hold?", "What is the balance of {x}?", x=x)
    return Request(text, ((find(x),), (look(a),)), accounts, **number(draw, accounts[a]["cents"]))


def which(accounts: Accounts, draw: Draw) -> Request:
    a = draw.pick(list(accounts))
    text = worded(draw, "What is the account of {x}?", "Which account does {x} have?", x=owner(accounts, a))
    others = [one for one in accounts if one != a]
    return Request(text, ((find(owner(accounts, a)),),), accounts, f"It is {a}.", {"word": a, "others": others})


# 3: what is done depends on what an account holds


def move_all(accounts: Accounts, draw: Draw) -> Request:
    a, b = pair(accounts, draw)
    n, x, y = accounts[a]["cents"], owner(accounts, a), owner(accounts, b)
    text = worded(draw, "Move all cents from {x} to {y}.", "{x} gives {y} all cents.", x=x, y=y)
    return Request(text, ((find(x), find(y)), (look(a),), (give(a, b, n),)), moved(accounts, (a, b, n)))


def move_if(accounts: Accounts, draw: Draw) -> Request:
    a, b = pair(accounts, draw)
    held, n = accounts[a]["cents"], draw.whole(1, accounts[a]["cents"])
    bar = draw.whole(1, 2 * held)
    text = f"If {a} holds more than {bar} cents, move {n} cents from {a} to {b}. If not, say how much {a} holds."
    if held > bar:
        return Request(text, ((look(a),), (give(a, b, n),)), moved(accounts, (a, b, n)))
    return Request(text, ((look(a),),), accounts, **number(draw, held))


def richer(accounts: Accounts, draw: Draw) -> Request:
    a = draw.pick(rich(accounts))
    others = [one for one in accounts if accounts[one]["cents"] != accounts[a]["cents"]]
    if not others:  # all hold the same
        return ask_by_name(accounts, draw)
    b = draw.pick(others)
    x, y = draw.some((owner(accounts, a), owner(accounts, b)), 2)
    more, less = (owner(accounts, one) for one in sorted((a, b), key=lambda one: -accounts[one]["cents"]))
    text = worded(draw, "Who has more cents, {x} or {y}?", "Who holds more, {x} or {y}?", x=x, y=y)
    return Request(text, ((find(x), find(y)), (look(a), look(b))), accounts, f"{more}.", {"word": more, "others": [less]})


def top_up(accounts: Accounts, draw: Draw) -> Request:
    a, b = pair(accounts, draw)
    n = draw.whole(1, accounts[a]["cents"])
    want = accounts[b]["cents"] + n
    text = worded(draw, "Bring {b} to {want} cents with cents from {a}.", "Move cents from {a} to {b} until {b} holds {want}.", a=a, b=b, want=want)
    return Request(text, ((look(b),), (give(a, b, n),)), moved(accounts, (a, b, n)))


# 4: several steps


def close_rich(accounts: Accounts, draw: Draw) -> Request:
    a, b = pair(accounts, draw)
    n, x, y = accounts[a]["cents"], owner(accounts, a), owner(accounts, b)
    text = worded(draw, "Move all cents from {x} to {y} and close the account of {x}.", "Close the account of {x}. {y} gets the cents.", x=x, y=y)
    turns = ((find(x), find(y)), (look(a),), (give(a, b, n),), (("close_account", {"account": a}),))
    return Request(text, turns, without(moved(accounts, (a, b, n)), a))


def open_and_move(accounts: Accounts, draw: Draw) -> Request:
    a, who = draw.pick(rich(accounts)), stranger(accounts, draw)
    n, x, new = draw.whole(1, accounts[a]["cents"]), owner(accounts, a), next_number(accounts)
    text = worded(
        draw, "Open an account for {who} and move {n} cents from {x} to it.", "{who} opens an account. {x} gives {who} {n} cents.", who=who, n=n, x=x
    )
    opened = {**accounts, new: {"owner": who, "cents": 0}}
    return Request(text, ((("open_account", {"owner": who}), find(x)), (give(a, new, n),)), moved(opened, (a, new, n)))


def to_each(accounts: Accounts, draw: Draw) -> Request:
    a = max(accounts, key=lambda one: (accounts[one]["cents"], one))
    b, c = draw.some([one for one in accounts if one != a], 2)
    n = draw.whole(1, max(1, accounts[a]["cents"] // 2))
    x, y, z = (owner(accounts, one) for one in (a, b, c))
    text = worded(draw, "Move {n} cents each from {x} to {y} and {z}.", "{x} gives {y} and {z} {n} cents each.", n=n, x=x, y=y, z=z)
    return Request(text, ((find(x), find(y), find(z)), (give(a, b, n), give(a, c, n))), moved(accounts, (a, b, n), (a, c, n)))


# 5: refused, or no call


def too_much(accounts: Accounts, draw: Draw) -> Request:
    a, b = draw.some(list(accounts), 2)
    n = accounts[a]["cents"] + draw.whole(1, 300)
    text = worded(draw, "Move {n} cents from {a} to {b}.", "Send {n} cents from {a} to {b}.", n=n, a=a, b=b)
    return Request(text, ((look(a),),), accounts, **refused(draw))


def no_such_owner(accounts: Accounts, draw: Draw) -> Request:
    who, b = stranger(accounts, draw), draw.pick(list(accounts))
    text = worded(draw, "How many cents does {who} have?", "Move {n} cents from {who} to {y}.", who=who, n=draw.whole(1, 300), y=owner(accounts, b))
    return Request(text, ((find(who),),), accounts, **refused(draw))


def close_held(accounts: Accounts, draw: Draw) -> Request:
    a = draw.pick(rich(accounts))
    return Request(worded(draw, "Close {a}.", "Please close {a}.", a=a), ((look(a),),), accounts, **refused(draw))


def no_tool(accounts: Accounts, draw: Draw) -> Request:
    x = draw.pick(OWNERS)
    text = worded(draw, "How old is {x}?", "Where does {x} live?", "Write a letter to {x}.", x=x)
    return Request(text, (), accounts, **refused(draw), calls=False)


def no_call(accounts: Accounts, draw: Draw) -> Request:
    euros = draw.whole(2, 20)
    text = worded(draw, "How many cents are {n} euros?", "What are {n} euros in cents?", n=euros)
    return Request(text, (), accounts, **number(draw, 100 * euros), calls=False)


LEVELS: Final[Mapping[int, Sequence[Builder]]] = {
    1: (move, ask, open_one, close_one),
    2: (move_by_name, ask_by_name, which),
    3: (move_all, move_if, richer, top_up),
    4: (close_rich, open_and_move, to_each),
    5: (too_much, no_such_owner, close_held, no_tool, no_call),
}
FOLLOWING: Final = (move, ask, open_one, move_by_name, ask_by_name, which, move_all, move_if, richer, top_up)  # whatever was done before
