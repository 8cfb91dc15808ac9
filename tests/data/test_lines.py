from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest

from ray_pipeline.data.files import byte_lines, file_names, first_present, reading, writing
from ray_pipeline.data.lines import json_rows, write_json_lines
from ray_pipeline.data.located import BATCH_ROWS, TableBuilder, place_of
from ray_pipeline.data.row import Row
from ray_pipeline.errors import DataError


def lines_of(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def test_reads_numbers_blank_lines_mark_and_line_ends(tmp_path: Path) -> None:
    path = lines_of(tmp_path / "a.jsonl", b'\xef\xbb\xbf{"a": 1}\r\n\n  \t\n{"a": "x\xe2\x80\xa8y"}\n{"a": 3, "a": 4}')
    assert [(row.line, row.fields) for row in json_rows(path)] == [(1, {"a": 1}), (4, {"a": "x\u2028y"}), (5, {"a": 4})]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "not JSON"),
        (b"[1]", "holds a list, not an object"),
        (b'"x"', "holds text, not an object"),
        (b"null", "holds null, not an object"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (b'{"a": "\xff"}', "byte 8 is not UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
    ],
)
def test_bad_line_is_named(tmp_path: Path, line: bytes, said: str) -> None:
    path = lines_of(tmp_path / "bad.jsonl", b'{"a": 1}\n\n' + line + b"\n")
    with pytest.raises(DataError) as caught:
        list(json_rows(path))
    message = str(caught.value)
    assert message.startswith(f"{path}:3: ") and said in message and "\n" not in message


def test_lone_surrogates_become_replacement_characters_and_are_counted(tmp_path: Path) -> None:
    path = lines_of(tmp_path / "s.jsonl", rb'{"a": "x\ud800y", "b": ["\udc00\uDFFF", {"\ud83d": 1}], "c": "\ud83d\ude00"}' + b"\n")
    (row,) = json_rows(path)
    assert row.fields == {"a": "x\ufffdy", "b": ["\ufffd\ufffd", {"\ufffd": 1}], "c": "😀"}
    assert row.replaced_surrogates == 4
    (upper,) = json_rows(lines_of(tmp_path / "upper.jsonl", rb'{"a": "\uD800"}'))
    assert upper.fields == {"a": "\ufffd"}
    builder = TableBuilder(pa.schema([("a", pa.string())]))
    builder.add(row, row.text("a"))
    assert builder.finish().column("a").to_pylist() == ["x\ufffdy"] and builder.replaced_surrogates == 4


def test_row_fields_are_checked() -> None:
    row = Row("f.jsonl", 7, {"n": 3, "t": "x", "none": None, "b": True, "empty": "", "mixed": ["a", 1], "inf": [1e39], "bools": [True]})
    assert row.text("t") == "x" and row.identifier("n") == "3" and row.texts("t") == ["x"] and row.texts("absent") == []
    cases = [
        (lambda: row.text("n"), "field 'n' is the number 3, not text"),
        (lambda: row.text("absent"), "field 'absent' is missing; the fields are n, t"),
        (lambda: row.text("none"), "field 'none' is null"),
        (lambda: row.identifier("none"), "field 'none' is null"),
        (lambda: row.identifier("b"), "field 'b' is true or false; an id is text or a whole number"),
        (lambda: row.identifier("empty"), "field 'empty' is empty"),
        (lambda: row.texts("mixed"), "mixed[1] is the number 1, not text"),
        (lambda: row.scores("mixed"), "mixed[0] is text, not a number"),
        (lambda: row.scores("inf"), "inf[0] is 1e+39, which is not a finite 32-bit number"),
        (lambda: row.scores("bools"), "bools[0] is true or false, not a number"),
    ]
    for read, said in cases:
        with pytest.raises(DataError) as caught:
            read()
        assert str(caught.value).startswith(f"f.jsonl:7: {said}")


def test_compressed_and_addressed_files(tmp_path: Path) -> None:
    # Two members, as `cat a.gz b.gz` makes them.
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b'{"a": 1}\n') + gzip.compress(b'{"a": 2}\n'))
    assert [row.fields["a"] for row in json_rows(f"file://{tmp_path}/a.jsonl.gz")] == [1, 2]
    write_json_lines(f"file://{tmp_path}/b.jsonl.gz", [{"a": "ü"}])
    assert gzip.decompress((tmp_path / "b.jsonl.gz").read_bytes()) == '{"a": "ü"}\n'.encode()


def test_a_damaged_archive_and_a_missing_file_are_named(tmp_path: Path) -> None:
    whole = gzip.compress(b'{"a": 1}\n' * 1000)
    cut = lines_of(tmp_path / "cut.jsonl.gz", whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cut\.jsonl\.gz:\d+: the file cannot be read on"):
        list(json_rows(cut))
    with pytest.raises(DataError, match=r"absent\.jsonl: the file cannot be opened"):
        list(json_rows(str(tmp_path / "absent.jsonl")))


def test_nothing_half_written_stays(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "rows.jsonl"
    with pytest.raises(DataError, match=r"rows\.jsonl:2: the row cannot be written"):
        write_json_lines(str(target), [{"a": 1.0}, {"a": float("nan")}])
    assert list(target.parent.iterdir()) == []
    write_json_lines(str(target), [{"a": 1}])
    with pytest.raises(KeyboardInterrupt), writing(str(target)) as stream:
        stream.write(b"half")
        raise KeyboardInterrupt
    assert json.loads(target.read_text()) == {"a": 1} and file_names(str(target.parent)) == ["rows.jsonl"]


def test_one_file_of_several_names(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no corpus here; one of corpus\.jsonl, corpus\.tsv"):
        first_present(str(tmp_path), ("corpus.jsonl", "corpus.tsv"), "corpus")
    (tmp_path / "corpus.tsv.gz").touch()
    assert first_present(str(tmp_path), ("corpus.jsonl", "corpus.tsv"), "corpus") == f"{tmp_path}/corpus.tsv.gz"
    (tmp_path / "corpus.jsonl").touch()
    with pytest.raises(DataError, match=r"more than one corpus: corpus\.jsonl, corpus\.tsv\.gz"):
        first_present(str(tmp_path), ("corpus.jsonl", "corpus.tsv"), "corpus")


def test_builder_keeps_places_over_batches_and_files() -> None:
    builder = TableBuilder(pa.schema([("a", pa.int64())]))
    for number in range(BATCH_ROWS + 5):
        builder.add_at("one", number + 1, number)
    builder.add_at("two", 1, -1)
    table = builder.finish()
    assert table.column("a").to_pylist() == [*range(BATCH_ROWS + 5), -1]
    assert place_of(table, BATCH_ROWS + 4, "?") == f"one:{BATCH_ROWS + 5}" and place_of(table, BATCH_ROWS + 5, "?") == "two:1"
    assert place_of(table.select(["a"]), 3, "made") == "made: row 3"
    assert TableBuilder(pa.schema([("a", pa.int64())])).finish().num_rows == 0


def test_byte_lines_stream(tmp_path: Path) -> None:
    path = lines_of(tmp_path / "x", b"a\n" * 3)
    assert next(byte_lines(path)) == (1, b"a")
    with reading(path) as stream:
        assert stream.readline() == b"a\n"
