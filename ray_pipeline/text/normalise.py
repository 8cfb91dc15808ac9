"""One normal form of a text, and its 64-bit hash, for finding the same text under another id.

Two texts are the same when their normal forms are: NFKC, casefolded, NFKC again (folding can leave a decomposed
character behind), every run of white space one space, ends trimmed. Punctuation and accents are kept: "2 - 1" and
"2 + 1" are different texts, and so are "resume" and "résumé".

The hash is BLAKE2b with an 8-byte digest over the UTF-8 bytes, read little-endian: the same on every machine, in every
process and every Python (the built-in `hash` is salted). Among n different texts a false match has probability about
n^2 / 2^65: below one in a million for 5 million texts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.errors import DataError

_ROWS_AT_ONCE: Final = 65_536  # how many texts exist as Python strings at one time


def normalise(text: str) -> str:
    """The normal form of `text`; normalising it again changes nothing."""
    if text.isascii():  # NFKC leaves ASCII alone, and casefold is lower there
        return " ".join(text.lower().split())
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


def text_hash(texts: pa.Array | pa.ChunkedArray) -> NDArray[np.uint64]:
    """The hash of each text's normal form."""
    return _hashes(texts, lambda text: normalise(text).encode())


def id_hash(ids: pa.Array | pa.ChunkedArray) -> NDArray[np.uint64]:
    """The hash of each string exactly as it stands: ids that differ in case are different ids."""
    return _hashes(ids, str.encode)


def _hashes(strings: pa.Array | pa.ChunkedArray, to_bytes: Callable[[str], bytes]) -> NDArray[np.uint64]:
    if strings.null_count:
        raise DataError(f"{strings.null_count} of {len(strings)} texts are null; give every row a text before hashing")
    digests = bytearray()
    for start in range(0, len(strings), _ROWS_AT_ONCE):
        for text in strings.slice(start, _ROWS_AT_ONCE).to_pylist():
            digests += blake2b(to_bytes(text), digest_size=8).digest()
    return np.frombuffer(bytes(digests), dtype="<u8").astype(np.uint64)
