"""Write conversations or preferences in another format: `python -m jobs.convert chats.jsonl chats.parquet --read openai --write verl`."""

from __future__ import annotations

import argparse
import sys

from ray_pipeline.data.chats.formats import FORMATS, read_chats, write_chats
from ray_pipeline.data.files import is_file
from ray_pipeline.data.preferences.read import read_preferences
from ray_pipeline.data.preferences.write import write_preferences
from ray_pipeline.errors import PipelineError, SettingsError

PREFERENCES = "preferences"


def convert(source: str, target: str, read: str, write: str) -> int:
    """Rows of `source` to `target`; how many."""
    if not target.endswith((".jsonl", ".parquet")):
        raise SettingsError(f"{target}: give a name that ends in .jsonl or .parquet")
    if is_file(target):
        raise SettingsError(f"{target}: is there already; give another name, or delete it")
    if (read == PREFERENCES) != (write == PREFERENCES):
        raise SettingsError(f"--read {read} --write {write}: pairs of answers and conversations are not each other's formats")
    if read == PREFERENCES:
        pairs = read_preferences(source, PREFERENCES).pairs
        write_preferences(pairs, target)
        return len(pairs)
    chats = read_chats(source, read).chats  # type: ignore[arg-type]
    write_chats(chats, target, write)  # type: ignore[arg-type]
    return len(chats)


def main() -> None:
    formats = (*FORMATS, PREFERENCES)
    parser = argparse.ArgumentParser(
        prog="python -m jobs.convert",
        description=__doc__,
        epilog="What a format cannot hold (calls in alpaca, say) ends the conversion with the conversation's name; nothing is left half written.",
    )
    parser.add_argument("source", help="a file or folder: .jsonl, .parquet, or what datasets.save_to_disk wrote")
    parser.add_argument("target", help="a .jsonl or .parquet file that is not there yet")
    parser.add_argument("--read", choices=formats, default="openai", help="the source's format (default: openai)")
    parser.add_argument("--write", choices=formats, default="openai", help="the target's (default: openai)")
    given = parser.parse_args()
    try:
        rows = convert(given.source, given.target, given.read, given.write)
    except PipelineError as problem:
        sys.exit(f"error: {problem}")
    print(f"{given.target}: {rows:,} rows")


if __name__ == "__main__":
    main()
