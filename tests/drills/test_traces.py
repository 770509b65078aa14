"""Recorded workloads: what a file becomes, and every way in which it is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.chaos import traces
from failover.chaos.traces import COLUMNS, COMPLAINTS_MAX, RecordedTrace, TraceRow, load_trace
from failover.errors import ConfigError

TEXTS = st.none() | st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=12)
ROWS = st.lists(
    st.builds(
        TraceRow,
        st.integers(0, 10**9).map(lambda micros: micros / 1e6),
        st.none() | st.integers(0, 10**6),
        st.none() | st.integers(0, 10**6),
        TEXTS,
        TEXTS,
    ),
    min_size=1,
    max_size=20,
).map(lambda rows: sorted(rows, key=lambda row: row.at_s))


def cells(row: TraceRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in COLUMNS if getattr(row, name) is not None}


def as_csv(file: Path, rows: list[TraceRow]) -> Path:
    with file.open("w", encoding="utf-8", newline="") as written:
        writer = csv.DictWriter(written, COLUMNS)
        writer.writeheader()
        writer.writerows(map(cells, rows))
    return file


def as_json_lines(file: Path, rows: list[TraceRow]) -> Path:
    file.write_text("".join(json.dumps(cells(row)) + "\n" for row in rows), "utf-8")
    return file


def refused(file: Path, content: str | bytes) -> list[str]:
    """The complaints, each as it is printed, without the folder."""
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError) as found:
        load_trace(file)
    return [str(each).replace(f"{file.parent}/", "") for each in found.value.complaints]


# What a file becomes.


@given(rows=ROWS)
def test_what_was_written_is_read_in_both_formats(tmp_path_factory, rows) -> None:
    folder = tmp_path_factory.mktemp("traces")
    for file in (as_csv(folder / "a.csv", rows), as_json_lines(folder / "a.jsonl", rows)):
        trace = load_trace(file)
        routes = tuple(dict.fromkeys(row.route for row in rows if row.route is not None))
        assert trace == RecordedTrace(file, len(rows), rows[0].at_s, rows[-1].at_s, routes)
        assert list(trace.rows(for_s=2_000.0)) == rows


@given(rows=ROWS, for_s=st.floats(0.1, 2_000.0), speed=st.floats(0.1, 100.0))
def test_a_shorter_and_a_quicker_workload_is_the_same_trace(tmp_path_factory, rows, for_s, speed) -> None:
    trace = load_trace(as_csv(tmp_path_factory.mktemp("traces") / "a.csv", rows))
    played = list(trace.rows(for_s, speed))
    expected = [row for row in rows if round(row.at_s / speed, 6) < for_s]
    assert [row.at_s for row in played] == [round(row.at_s / speed, 6) for row in expected]
    assert [cells(row) | {"at_s": 0} for row in played] == [cells(row) | {"at_s": 0} for row in expected]


def test_only_the_times_are_needed(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"\xef\xbb\xbfat_s\r\n0\r\n\r\n1.5e0\r\n")
    assert list(load_trace(file).rows(10.0)) == [TraceRow(0.0), TraceRow(1.5)]


def test_empty_cells_and_nulls_say_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("tokens_in,at_s,tenant\n,1,\n", "utf-8")
    (tmp_path / "a.jsonl").write_text('{"at_s": 1, "tokens_in": null, "tenant": ""}\n\n', "utf-8")
    for file in tmp_path.iterdir():
        assert list(load_trace(file).rows(10.0)) == [TraceRow(1.0)]


# How it is refused.


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("x,1,chat", "at_s must be a number, got 'x'"),
        ("nan,1,chat", "at_s must be a number, got 'nan'"),
        ("1_0,1,chat", "at_s must be a number, got '1_0'"),
        ("-1,1,chat", "at_s must be 0 or more, and no more than 1e+15, got -1"),
        ("1e999,1,chat", "at_s must be 0 or more, and no more than 1e+15, got inf"),
        ("1730000000,1,chat", "at_s counts seconds from the beginning of the trace, not from 1970"),
        (",1,chat", "at_s is missing: the second at which the request came"),
        ("0.25,1,chat", "at_s is 0.25, before the 0.5 above it: sort the file by at_s"),
        ("1,1.5,chat", "tokens_in must be a whole number, at most 10000000, got '1.5'"),
        ("1,-2,chat", "tokens_in must be 0 or more"),
        ("1,1", "has 2 cells, the first line has 3"),
        (f"1,1,{'x' * 201}", "route is longer than 200 characters"),
    ],
)
def test_a_wrong_row_is_told_with_its_line(tmp_path: Path, line, complaint) -> None:
    (said,) = refused(tmp_path / "a.csv", f"at_s,tokens_in,route\n0.5,1,chat\n{line}\n9,1,chat\n")
    assert said.startswith(f"a.csv:3: {complaint}")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("nope", "is not valid JSON"),
        ("[" * 5_000, "is not valid JSON"),
        ("[1]", 'must be an object, as in {"at_s": 0.5}, got a list'),
        ('{"at_s": true}', "at_s must be a number, got true"),
        ('{"at_s": NaN}', "at_s must be 0 or more"),
        ('{"at_s": 1' + "0" * 400 + "}", "at_s must be 0 or more"),
        ('{"at_s": 1, "route": 5}', "route must be text, got 5"),
        ('{"at_s": 1, "tenent": "x"}', "unknown column 'tenent'; did you mean 'tenant'?"),
    ],
)
def test_a_wrong_object_is_told_with_its_line(tmp_path: Path, line, complaint) -> None:
    (said,) = refused(tmp_path / "a.jsonl", f'{{"at_s": 0.5}}\n{line}\n{{"at_s": 9}}\n')
    assert said.startswith(f"a.jsonl:2: {complaint}")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "a.csv: holds no request"),
        ("at_s\n", "a.csv: holds no request"),
        ("tokens_in\n5\n", "a.csv:1: names no column at_s"),
        ("at_s,at_s\n1,1\n", "a.csv:1: names the column at_s twice"),
        ("at_s,token_in\n1,1\n", "a.csv:1: unknown column 'token_in'; did you mean 'tokens_in'?"),
        (b"at_s\n1\n\xff\xfe\n", "a.csv:3: is not UTF-8"),
        ("at_s\n1\n\0\n", "a.csv:3: is no line of text"),
        ("at_s\n" + "1" * 20_000, "a.csv:2: is no line of text of at most 10000 bytes"),
        ('at_s\n"1\n', "a.csv:2: is no CSV"),
    ],
)
def test_a_file_that_is_no_trace_is_refused(tmp_path: Path, content, complaint) -> None:
    (said,) = refused(tmp_path / "a.csv", content)
    assert said.startswith(complaint)


def test_a_file_that_is_wrong_throughout_is_not_complained_about_without_end(tmp_path: Path) -> None:
    found = refused(tmp_path / "a.jsonl", "nope\n" * 1_000)
    assert len(found) == COMPLAINTS_MAX + 1
    assert found[-1].endswith("is as far as the file was read: there may be more")


def test_a_file_too_large_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "BYTES_MAX", 2**20)
    (said,) = refused(tmp_path / "a.csv", b"\xff" * (2**20 + 1))
    assert said == "a.csv: is larger than 1 MB: cut it, or sample it"


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("none.csv", "there is no such file"),
        ("folder.csv", "is a folder"),
        ("a.txt", "it must end in .csv or .jsonl"),
    ],
)
def test_what_is_no_file_is_refused(tmp_path: Path, name, complaint) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ConfigError, match=complaint):
        load_trace(tmp_path / name)


@pytest.mark.parametrize("now", [None, "at_s\n5\nx\n"])
def test_a_file_that_changes_while_it_is_played_is_refused(tmp_path: Path, now) -> None:
    file = as_csv(tmp_path / "a.csv", [TraceRow(1.0), TraceRow(2.0)])
    rows = load_trace(file).rows(10.0)
    if now is None:
        file.unlink()
    else:
        file.write_text(now, "utf-8")
    with pytest.raises(ConfigError, match="was changed while it was played"):
        list(rows)
