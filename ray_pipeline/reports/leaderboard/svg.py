"""A picture of matplotlib made fit to stand on a page among others, or alone beside a Markdown file.

Traps. Its ids are the same in every picture, and its style is for all elements of whatever page it comes to: both are made this
picture's own. Ink is `currentColor`, so that it is the page's in light and dark; alone, the picture says what that is.
"""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree

INK: Final = "#010203"
"""The colour that becomes the page's own."""

_SVG: Final = "http://www.w3.org/2000/svg"
_XLINK: Final = "http://www.w3.org/1999/xlink"
_ALONE: Final = "svg{color:#1b1b1b;background:#fff}@media(prefers-color-scheme:dark){svg{color:#ececec;background:#16181c}}"
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REFERENCE: Final = re.compile(r"url\(#([^)]+)\)")


def on_a_page(drawn: bytes, prefix: str, words: str) -> str:
    """The picture as an element of an HTML page; `words` say what it shows, `prefix` begins its ids."""
    root = _own(drawn, prefix, words)
    return ElementTree.tostring(root, encoding="unicode")


def alone(drawn: bytes, words: str) -> bytes:
    """The picture as a file of its own, in the reader's light or dark."""
    root = _own(drawn, "plot", words)
    style = ElementTree.Element(f"{{{_SVG}}}style")
    style.text = _ALONE
    root.insert(0, style)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'.encode()


def _own(drawn: bytes, prefix: str, words: str) -> ElementTree.Element:
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    root = ElementTree.fromstring(drawn)
    for part in root.findall(f"{{{_SVG}}}metadata"):  # who made it, and when
        root.remove(part)
    for part in root.findall(f"{{{_SVG}}}defs"):
        for style in part.findall(f"{{{_SVG}}}style"):
            part.remove(style)
    for part in root.iter():
        for key, value in list(part.attrib.items()):
            part.set(key, _owned(key, value, prefix))
    root.set("role", "img")
    root.set("style", "stroke-linejoin:round;stroke-linecap:butt")
    title = ElementTree.Element(f"{{{_SVG}}}title", {"id": f"{prefix}-title"})
    title.text = _NOT_XML.sub("\ufffd", words)
    root.insert(0, title)
    root.set("aria-labelledby", f"{prefix}-title")
    return root


def _owned(key: str, value: str, prefix: str) -> str:
    if key == "id":
        return f"{prefix}-{value}"
    if key in ("href", f"{{{_XLINK}}}href"):
        return f"#{prefix}-{value.removeprefix('#')}"
    return _REFERENCE.sub(rf"url(#{prefix}-\1)", value).replace(INK, "currentColor")
