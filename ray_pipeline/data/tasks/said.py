"""What a final answer says: its last whole number, the words that stand in it, whether it refuses.

Traps. The digits of "A17" and "1e5" are parts of words, those of "2.5" of a number that is not whole: none of them is a whole number that was said.
In "10-5" the stroke is no sign. "1,234" is one number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_MINUS: Final = "\N{MINUS SIGN}"
_WHOLE: Final = r"(?P<whole>[0-9]{1,3}(?:,[0-9]{3}){1,12}+(?!\w)|[0-9]++)"  # possessive and bounded: a long text of digits is read once
_NUMBER: Final = re.compile(rf"(?P<sign>(?<![\w.)])-)?(?<![\w.]){_WHOLE}(?P<fraction>\.[0-9]++)?(?!\w|\.[0-9])")
_MOST_DIGITS: Final = 1000  # no answer has more, and Python reads no more than 4300
_REFUSES: Final = ("cannot", "can not", "can't", "can\N{RIGHT SINGLE QUOTATION MARK}t")


def last_integer(text: str) -> int | None:
    """The last number of a text, where it is whole; None where it is not, or there is none."""
    numbers = list(_NUMBER.finditer(text.replace(_MINUS, "-")))
    if not numbers or numbers[-1]["fraction"] is not None or len(numbers[-1]["whole"]) > _MOST_DIGITS:
        return None
    sign, whole = numbers[-1]["sign"], int(numbers[-1]["whole"].replace(",", ""))
    return -whole if sign else whole


def answers(text: str, wanted: Mapping[str, Any]) -> bool:
    """Whether a final answer says what is wanted, a mapping with one of these:

    number   the last integer
    word     this word, and none of `others`
    refusal  that it cannot be done
    (none)   anything
    """
    if "number" in wanted:
        return bool(last_integer(text) == wanted["number"])
    if "word" in wanted:
        return _stands(wanted["word"], text) and not any(_stands(one, text) for one in wanted["others"])
    if "refusal" in wanted:
        return any(_stands(one, text.casefold()) for one in _REFUSES)
    return True


def _stands(word: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None
