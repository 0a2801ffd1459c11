"""Scans of CSV lines, wherever the strips end in which the bytes are scanned."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monthly.convert import csv_bytes
from monthly.convert.csv_bytes import has_hexadecimal, has_odd_quotes, line_ends, quoted_start


@pytest.fixture(autouse=True, scope="module")
def _short_strips() -> Iterator[None]:
    with mock.patch.object(csv_bytes, "_STRIP_BYTES", 3):
        yield


@pytest.mark.parametrize("place", range(9))
@pytest.mark.parametrize("letter", ["x", "X"])
def test_a_hexadecimal_number_is_found(place: int, letter: str) -> None:
    data = f"{'1' * place}0{letter}{'1' * (8 - place)}".encode()
    assert has_hexadecimal(data)
    assert not has_hexadecimal(data.replace(b"0", b"1") + b"0")


@given(data=st.lists(st.sampled_from([b"1", b"\r", b"\n", b"\r\n", b"\r\r\n"])).map(b"".join))
def test_line_feeds_are_counted_and_a_return_inside_a_line_is_found(data: bytes) -> None:
    assert line_ends(data) == (data.count(b"\n"), bool(re.search(rb"\r[^\r\n]", data)))


@given(data=st.lists(st.sampled_from([b"1", b'"', b"\n"])).map(b"".join))
def test_a_line_with_an_odd_number_of_quotes_is_found(data: bytes) -> None:
    """The last line may lack its end."""
    assert has_odd_quotes(data) == any(line.count(b'"') % 2 for line in data.split(b"\n"))


@example(data=b'1,"",1\n"1"1,1')
@example(data=b'1,"1,"1",1"')
@example(data=b'1",,""",""')
@example(data=b'1",,"1,,""1')
@given(data=st.lists(st.sampled_from([b"1", b'"', b",", b"\n"]), max_size=30).map(b"".join))
def test_a_field_that_goes_on_after_its_quotes_is_found(data: bytes) -> None:
    """Python's own reader refuses the same lines, if it is strict."""
    lines = [line for line in data.split(b"\n") if line.count(b'"') % 2 == 0]
    found = quoted_start(b"\n".join(lines), ",")
    assert (found is not None) == any(map(_goes_on, lines))


def _goes_on(line: bytes) -> bool:
    try:
        list(csv.reader([line.decode()], strict=True))
    except csv.Error as error:
        return "expected after" in str(error)
    return False


@pytest.mark.parametrize(
    ("line", "start"),
    [
        (b'"Weird" Al', b'"Weird"'),
        (b'1,"a ""b""" c', b'"a ""b"""'),
        (b'"a, b" ,"c"\t,"d"\r', None),
        (b'12" by 7",x"y"', None),
        (b'1, "a" b,"c"', None),
        (b'"a"\xc2\xa0,1', None),
        (b'"a" ,"b" c', b'"b"'),
    ],
)
def test_blanks_after_quotes_and_quotes_within_a_field_are_none(
    line: bytes, start: bytes | None
) -> None:
    for data in (line, b'"1","2"\n' + line + b"\n1,2\n"):
        assert quoted_start(data, ",") == start
