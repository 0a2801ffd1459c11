"""Scans of CSV lines, wherever the strips end in which the bytes are scanned."""

from __future__ import annotations

import re
from collections.abc import Iterator
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monthly.convert import csv_bytes
from monthly.convert.csv_bytes import has_hexadecimal, has_odd_quotes, line_ends


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
