"""Texts to search at a size no bundled data have: passages of the docstrings of every installed package.

They are on each machine that runs the benchmarks, and lie as real texts do: many near one another, few alike, most unlike any query.
Queries are first sentences of docstrings that are held out.
"""

from __future__ import annotations

import ast
import json
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_WORDS: Final = 32  # of a passage
_HELD_OUT: Final = 50  # every 50th docstring asks
_FEWEST_WORDS: Final = 6


def beir_folder(folder: Path, docs: int, queries: int) -> Path:
    """A BEIR folder of so many passages and queries, written once. The judgements say nothing; the format wants some."""
    found = folder / f"passages{docs}-{queries}"
    if (found / "qrels/test.tsv").exists():
        return found
    (found / "qrels").mkdir(parents=True, exist_ok=True)
    passages: list[str] = []
    asked: list[str] = []
    for number, (name, text) in enumerate(docstrings()):
        if number % _HELD_OUT == 0 and len(asked) < queries:
            asked.append(" ".join(text.split(". ")[0].split()[:_WORDS]))
        elif len(passages) < docs:
            passages.extend(cut(name, text))
        elif len(asked) == queries:
            break
    if len(passages) < docs or len(asked) < queries:
        raise SystemExit(f"the installed packages have {len(passages):,} passages and {len(asked):,} queries; ask for fewer")
    _write(found / "corpus.jsonl", ({"_id": f"d{row:06d}", "text": text} for row, text in enumerate(passages[:docs])))
    _write(found / "queries.jsonl", ({"_id": f"q{row}", "text": text} for row, text in enumerate(asked)))
    judged = "".join(f"q{row}\td{row:06d}\t1\n" for row in range(queries))
    (found / "qrels/test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}")
    return found


def docstrings() -> Iterator[tuple[str, str]]:
    """(name, docstring) of every function and class, each docstring once."""
    seen: set[int] = set()
    for path in sorted(Path(sysconfig.get_paths()["purelib"]).rglob("*.py")):
        if "tests" in path.parts:
            continue
        try:
            with warnings.catch_warnings(action="ignore"):
                tree = ast.parse(path.read_text())
        except (SyntaxError, ValueError):
            continue  # templates and files of other Pythons lie among the packages
        for node in ast.walk(tree):
            text = ast.get_docstring(node) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) else None
            if text and len(text.split()) >= _FEWEST_WORDS and hash(text) not in seen:
                seen.add(hash(text))
                yield node.name, text  # type: ignore[attr-defined]  # these three have names


def cut(name: str, text: str) -> Iterator[str]:
    """The docstring in passages, each behind the name of what it describes."""
    words = text.split()
    for start in range(0, len(words), _WORDS):
        if len(words) - start >= _FEWEST_WORDS:
            yield " ".join([name.replace("_", " "), *words[start : start + _WORDS]])


def _write(path: Path, rows: Iterator[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
