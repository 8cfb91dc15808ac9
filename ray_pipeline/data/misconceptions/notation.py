"""How numbers, fractions and expressions are written in generated questions and answers.

Answers are exact: ints, `Fraction`, `Decimal`, `Over` (a fraction as a pupil leaves it, not cancelled) or finished text.
Two answers are the same if their `worth` is equal, so 2/4 and 1/2 never stand as a right and a wrong answer to one
question. Where the form itself is the point (simplest form, standard form), rules answer with text, compared as text.

Authors type `*`, which `typeset` turns into the times sign; nothing else is rewritten.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import gcd
from typing import Final, NamedTuple

TIMES: Final = "\u00d7"
_RAISED: Final = str.maketrans("0123456789-", "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b")


class Over(NamedTuple):
    """A fraction exactly as written, without cancelling."""

    top: int
    bottom: int


Answer = int | Fraction | Decimal | Over | str


def over(top: int, bottom: int) -> Over | None:
    """The fraction top/bottom as written, or None where nobody could write it down as an answer."""
    return Over(top, bottom) if bottom > 0 and top > 0 else None


def worth(answer: Answer) -> Answer:
    """What two answers are compared by: numbers by value, text as text."""
    return Fraction(answer.top, answer.bottom) if isinstance(answer, Over) else answer


def dec(digits: int, places: int) -> Decimal:
    """digits / 10^places without trailing zeros: dec(150, 2) is 1.5."""
    while places > 0 and digits % 10 == 0:
        digits //= 10
        places -= 1
    return Decimal(digits).scaleb(-places) if places > 0 else Decimal(digits * 10**-places)


def show(answer: Answer) -> str:
    """`answer` as a pupil writes it."""
    if isinstance(answer, Decimal):
        text = format(answer, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(answer, Over):
        return str(answer.top) if answer.bottom == 1 else f"{answer.top}/{answer.bottom}"
    return str(answer)


def mixed(value: Fraction) -> str:
    """A mixed number: 11/6 is "1 5/6"."""
    whole, rest = divmod(value.numerator, value.denominator)
    if rest == 0:
        return str(whole)
    return f"{whole} {rest}/{value.denominator}" if whole else f"{rest}/{value.denominator}"


def money(pence: int) -> str:
    """An amount in pounds: 450 is "£4.50", 400 is "£4"."""
    return f"£{pence // 100}.{pence % 100:02d}" if pence % 100 else f"£{pence // 100}"


def raised(exponent: int) -> str:
    """An exponent in superscript digits."""
    return str(exponent).translate(_RAISED)


def power(base: str, exponent: int) -> str:
    """base^exponent as it is written in algebra: x^1 is x and x^0 is 1."""
    if exponent == 0:
        return "1"
    return base if exponent == 1 else base + raised(exponent)


def poly(*terms: tuple[int | Fraction, str]) -> str:
    """A sum of terms: poly((3, "x"), (-1, "y"), (0, "z"), (5, "")) is "3x - y + 5"."""
    text = ""
    for coefficient, symbol in terms:
        if coefficient == 0:
            continue
        size = abs(coefficient)
        body = symbol if size == 1 and symbol else f"{size}{symbol}"
        if text:
            text += f" - {body}" if coefficient < 0 else f" + {body}"
        else:
            text = f"-{body}" if coefficient < 0 else body
    return text or "0"


def bracket(number: int, symbol: str = "x") -> str:
    """A linear factor: bracket(-3) is "(x - 3)"."""
    return f"({poly((1, symbol), (number, ''))})"


def point(x: int | Fraction | Decimal, y: int | Fraction | Decimal) -> str:
    return f"({x}, {y})"


def ratio(first: int, second: int) -> str:
    return f"{first} : {second}"


def lcm(a: int, b: int) -> int:
    return a * b // gcd(a, b)


def half(number: int) -> int | Decimal:
    """number / 2, exactly."""
    return number // 2 if number % 2 == 0 else dec(number * 5, 1)


def listed(items: object) -> str:
    """A tuple of numbers as a list in a question: "3, 5, 8"."""
    if not isinstance(items, (tuple, list)):
        raise TypeError(f"listed() wants a tuple or list, not {type(items).__name__}")
    return ", ".join(show(item) for item in items)


def many(count: int, noun: str) -> str:
    """A count with its noun: "1 place", "3 places"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def typeset(text: str) -> str:
    return text.replace("*", TIMES)
