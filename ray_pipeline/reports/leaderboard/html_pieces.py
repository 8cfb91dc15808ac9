"""HTML put together from pieces in which text is text: whatever is no `Html` already is escaped."""

from __future__ import annotations

import html


class Html(str):
    """Text that is HTML."""

    __slots__ = ()


def element(name: str, *inner: str, **attributes: str) -> Html:
    """An element; an attribute's `_` is a `-`, and one at its end is left out (`class_`)."""
    given = "".join(f' {key.rstrip("_").replace("_", "-")}="{html.escape(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{given}>{joined(*inner)}</{name}>")


def joined(*inner: str) -> Html:
    return Html("".join(one if isinstance(one, Html) else html.escape(one) for one in inner))
