"""Functions as they are declared: every wording fits its parameters, every answer tells what came back."""

from __future__ import annotations

from typing import Any

import pytest

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.tool_chats.domains import DOMAINS
from ray_pipeline.data.tool_chats.function import Function, mentioned
from ray_pipeline.data.tool_chats.request import further, joined, planned, spread_out
from ray_pipeline.data.tool_chats.values import Code, Flag, Nested, Number, Several, Whole, Words, listing
from ray_pipeline.data.tool_chats.wording import told

FUNCTIONS = [function for domain in DOMAINS.values() for function in domain]
every_function = pytest.mark.parametrize("function", FUNCTIONS, ids=[function.name for function in FUNCTIONS])


def required(function: Function) -> set[str]:
    return {one.name for one in function.parameters if one.required}


def known(function: Function) -> set[str]:
    return {one.name for one in function.parameters}


def test_there_are_functions_enough_and_a_name_is_one_functions() -> None:
    assert len(DOMAINS) >= 12
    assert {len(domain) for domain in DOMAINS.values()} <= {3, 4, 5}
    assert len({function.name for function in FUNCTIONS}) == len(FUNCTIONS)


def test_every_type_occurs() -> None:
    types = {one.schema()["type"] for function in FUNCTIONS for one in function.parameters}
    assert types == {"string", "integer", "number", "boolean", "array", "object"}
    assert any("enum" in one.schema() for function in FUNCTIONS for one in function.parameters)


@every_function
def test_a_request_mentions_what_is_required_and_nothing_unknown(function: Function) -> None:
    requests = (*function.orders, *function.asks, *(function.spread.asks if function.spread else ()))
    assert len(function.orders) >= 3
    assert len(function.asks) >= 3
    assert len({*function.orders, *function.asks}) == len(function.orders) + len(function.asks)
    assert all(required(function) <= mentioned(one) <= known(function) for one in requests)
    assert set().union(*map(mentioned, requests)) == known(function), "a parameter that no request mentions"
    assert all(mentioned(one) and mentioned(one) <= known(function) for one in function.again)
    if function.spread:
        assert all(function.spread.parameter in mentioned(one) for one in function.spread.asks)


@every_function
def test_clauses_are_clauses_and_sentences_sentences(function: Function) -> None:
    assert function.description[0].isupper()
    assert function.description[-1].isalpha()
    for order in function.orders:
        assert order[0].islower() or order.startswith("{locked}"), order
        assert order[-1] not in ".?!", order
    for sentence in (*function.asks, *function.again, *(function.spread.asks if function.spread else ())):
        assert sentence[-1] in ".?!", sentence


@every_function
def test_a_request_that_lacks_something_lacks_one_argument(function: Function) -> None:
    assert len(function.lacking) >= 2
    for request, question in function.lacking:
        assert len(required(function) - mentioned(request)) == 1, request
        assert mentioned(question) <= mentioned(request) <= known(function), question


@every_function
def test_an_answer_tells_the_result(function: Function) -> None:
    draw = Draw("answers")
    for request in (*function.orders, *function.asks):
        call = planned(function, mentioned(request), draw)
        result = function.result(draw, call.arguments)
        assert not set(result) & known(function), "a name for an argument and for a result"
        values = [str(value) for value in told(result).values()]
        for answer in function.answers:
            assert mentioned(answer) <= required(function) | set(result), answer
            said = answer.format(**call.said(), **told(result))
            assert any(value in said for value in values), answer


def test_a_call_has_what_was_mentioned_and_keeps_what_was_not_changed() -> None:
    draw = Draw("kept")
    (forecast,) = (function for function in FUNCTIONS if function.name == "get_forecast")
    first = planned(forecast, {"unit", "city", "day"}, draw)
    assert list(first.arguments) == ["city", "day", "unit"]
    assert list(planned(forecast, {"day", "city"}, draw).arguments) == ["city", "day"]
    second = planned(forecast, {"city"}, draw, first.arguments)
    assert second.arguments == {**first.arguments, "city": second.arguments["city"]}
    assert second.arguments["city"] != first.arguments["city"]


def test_calls_come_in_the_order_they_are_asked_for() -> None:
    play, forecast = (function for name in ("play_song", "get_forecast") for function in FUNCTIONS if function.name == name)
    for seed in range(40):
        draw = Draw(f"order {seed}")
        mixed = joined((play, forecast), draw)
        assert [call.function for call in mixed.calls] == [play, forecast]
        assert mixed.text.index(mixed.calls[0].arguments["song"]) < mixed.text.index(mixed.calls[1].arguments["city"])
        assert forecast.spread is not None
        spread = spread_out(forecast, forecast.spread, 3, draw)
        cities = [call.arguments["city"] for call in spread.calls]
        assert len(set(cities)) == 3
        assert f"{cities[0]}, {cities[1]} and {cities[2]}" in spread.text
        assert len({call.arguments["day"] for call in spread.calls}) == 1


def test_a_further_request_may_refer_back() -> None:
    (balance,) = (function for function in FUNCTIONS if function.name == "get_balance")
    draw = Draw("again")
    last = planned(balance, {"account", "currency"}, draw)
    texts = {further(balance, last, draw).text.split(" ")[0] for _ in range(60)}
    assert "And" in texts
    assert len(texts) > 3


@pytest.mark.parametrize(
    ("values", "value", "said", "schema"),
    [
        (Words(("a b",)), "a b", "a b", {"type": "string"}),
        (Code("X-77"), "X-77", "X-77", {"type": "string"}),
        (Whole(4, 4), 4, "4", {"type": "integer"}),
        (Number(2, 2, 10), 2, "2", {"type": "number"}),
        (Flag("on", "off"), True, "on", {"type": "boolean"}),
        (Flag("on", "off"), False, "off", {"type": "boolean"}),
        (Several(("a",), 1, 1), ["a"], "a", {"type": "array", "items": {"type": "string"}}),
        (
            Nested({"n": Whole(3, 3)}, "no. {n}"),
            {"n": 3},
            "no. 3",
            {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
        ),
    ],
)
def test_values_are_drawn_said_and_described(values: Any, value: Any, said: str, schema: dict[str, Any]) -> None:
    assert any(values.draw(Draw(str(seed))) == value for seed in range(20))
    assert (values.said(value), values.schema()) == (said, schema)


def test_numbers_stay_in_their_range_and_are_short() -> None:
    draw = Draw("numbers")
    found = [Number(2, 5, 20).draw(draw) for _ in range(400)]
    assert min(found) >= 2
    assert max(found) <= 5
    assert {type(value) for value in found} == {int, float}
    assert max(len(Number(2, 5, 20).said(value)) for value in found) == 4
    assert {Whole(10, 20, 5).draw(draw) for _ in range(60)} == {10, 15, 20}
    assert listing(["a", "b", "c"]) == "a, b and c"
