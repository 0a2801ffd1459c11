"""A month that fails shows one example of each of its first kinds of rejects."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import TooManyRejects
from fakes.trip_files import YELLOW, YELLOW_HEADER, YELLOW_LINE, converted


def test_each_kind_of_reject_is_shown_once_with_its_line_and_value(tmp_path: Path) -> None:
    many = [YELLOW_LINE.replace(",1,2.5,", f",many{n},2.5,") for n in range(200)]
    far = YELLOW_LINE.replace(",2.5,", ",far,")
    data = "\n".join([YELLOW_HEADER, *many, far, far, f"{YELLOW_LINE},1,2", YELLOW_LINE])
    with pytest.raises(TooManyRejects) as caught:
        converted(tmp_path, data, YELLOW)
    shown = str(caught.value).partition("(")[2].partition(");")[0].split("; ")
    assert shown == [
        "line 2: passenger_count: 'many0' is not a whole number",
        "line 202: trip_distance: 'far' is not a number",
        f"line 204: 20 fields where 18 are expected: {YELLOW_LINE + ',1,2'!r}",
    ]
