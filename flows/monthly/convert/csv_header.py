"""The header of a CSV file: its names, and what the first rows tell of its fields."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

from core.errors import BadFile
from monthly.columns import fold
from monthly.convert.letters import encoding_of_names
from monthly.convert.skipped_lines import refuse_other_lines
from monthly.datasets import DATASETS
from monthly.header import may_number_rows
from monthly.month import Month

#: The header must end within this; the rows within it tell the number of fields.
HEAD_BYTES = 1 << 16
#: Accepted delimiters and their names.
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
#: The UTF-8 byte order mark, which some programs write.
MARK = b"\xef\xbb\xbf"
#: Not every blank: a line that begins with a tab has an empty first field.
_BLANK_LINES = re.compile(rb"\A(?:[ \r]*\n)+")
#: pandas turns whole numbers into floats if any is missing.
_ROW_NUMBER = re.compile(r"[0-9]{1,15}(\.0)?")
#: The delimiters, in a group: `split` then returns them, too.
_PARTS = re.compile(rb"([,;\t|])")
_ANNOUNCED = re.compile(rb'"?sep=([,;\t|])"?')


@dataclass(frozen=True)
class Header:
    """The header line.

    Attributes:
        names: column names as published.
        end: bytes of the file through the end of the line.
        delimiter: the delimiter of the header and of the rows.
        encoding: the encoding of the names, if not that of the stream.
    """

    names: list[str]
    end: int
    delimiter: str
    encoding: str = "utf-8"


def header_of(month: Month, path: Path, head: bytes) -> Header:
    """Return the header of a table that begins with these bytes.

    Raises:
        BadFile: there is no header, or it is not text.
        SchemaError: the skipped lines contradict the declared header.
    """
    text, delimiter = _before_header(month, path, head)
    declared = DATASETS[month.dataset].text
    if declared.header:
        return _declared_header(month, path, head, text, delimiter)
    line, end, _ = text.partition(b"\n")
    if not line or (not end and len(head) == HEAD_BYTES):
        raise BadFile(f"{month}: {path.name} has no header; is it the right file?")
    if b"\0" in line:
        raise BadFile(
            f"{month}: {path.name} is not text: its first line has a NUL byte; choose another file"
        )
    size, encoding = len(line) + len(end), encoding_of_names(line)
    line = line if encoding == "utf-8" else _in_utf8(month, line, encoding)
    delimiter = delimiter or declared.separator or _delimiter(month, line)
    names = split(line, delimiter, declared.quotes)
    if not names:
        raise BadFile(f"{month}: {path.name} has no line ends that are known; is it text?")
    while len(names) > 1 and not names[-1].strip():
        names.pop()  # must be empty, like fields beyond the header
    return Header(names, len(head) - len(text) + size, delimiter, encoding)


def _declared_header(month: Month, path: Path, head: bytes, text: bytes, announced: str) -> Header:
    """Return the declared header; `text` has the rows, the lines before it are skipped."""
    declared, line = DATASETS[month.dataset].text, text.partition(b"\n")[0]
    size = len(head) - len(text)
    delimiter = announced or declared.separator or _delimiter(month, line, len(declared.header))
    skipped = head[:size].removeprefix(MARK).rstrip(b"\r\n").splitlines()
    lines = [split(each, delimiter, declared.quotes) for each in skipped]
    refuse_other_lines(month, path, lines, declared.header)
    return Header(declared.header, size, delimiter)


def _in_utf8(month: Month, line: bytes, encoding: str) -> bytes:
    """Return a header in UTF-8, some of whose names are in another encoding."""
    known = DATASETS[month.dataset].known_names

    def name(part: bytes) -> str:
        # An alias may be spelled with escapes, as errors did before 1.10.
        escaped = part.decode("utf-8", "backslashreplace")
        in_utf8 = encoding_of_names(part) == "utf-8"
        return escaped if in_utf8 or fold(escaped) in known else part.decode(encoding)

    return "".join(map(name, _PARTS.split(line))).encode()


def _before_header(month: Month, path: Path, head: bytes) -> tuple[bytes, str]:
    """Return the text from the header on, and the delimiter that a line before it announces."""
    text = head.removeprefix(MARK)
    for number in range(DATASETS[month.dataset].text.lines_before_header):
        _, end, text = text.partition(b"\n")
        if not end:
            raise BadFile(
                f"{month}: {path.name} has {number + 1} lines where more are declared before the "
                "header; is it the right file?"
            )
    text = _BLANK_LINES.sub(b"", text)
    announced = _ANNOUNCED.fullmatch(text.partition(b"\n")[0].rstrip(b"\r"))
    if announced:  # Excel writes a sep= line
        return _BLANK_LINES.sub(b"", text.partition(b"\n")[2]), announced[1].decode()
    return text, ""


def _delimiter(month: Month, line: bytes, fields: int | None = None) -> str:
    """Return the delimiter that gives the most known names, or the number of fields, or a comma."""
    dataset = DATASETS[month.dataset]
    known = dataset.known_names.keys() | dataset.parts.keys()

    def score(delimiter: str) -> int:
        names = split(line, delimiter, dataset.text.quotes)
        return len(names) == fields if fields else sum(fold(name) in known for name in names)

    return max(DELIMITERS, key=score)


def split(line: bytes, delimiter: str, quotes: bool) -> list[str]:
    """Split a line into fields, which may be in quotes; return none if it cannot be split."""
    text = line.strip(b"\r").decode("utf-8", "backslashreplace")
    try:
        return next(csv.reader([text], delimiter=delimiter, quoting=quoting(quotes)), [])
    except csv.Error:
        return []


def quoting(quotes: bool) -> Literal[0, 3]:
    """Return the `quoting` option of `csv` for fields that may be in quotes, or never are."""
    return csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE


def row_numbers(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """Return the fields that number the rows, as pandas writes them."""
    places = (place for place, name in enumerate(names) if may_number_rows(place, name))
    return [place for place in places if _are_row_numbers(names[place], _texts(rows, place))]


def _texts(rows: Sequence[Sequence[str]], place: int) -> list[str]:
    texts = (row[place].strip() for row in rows if len(row) > place)
    return [text for text in texts if text]


def _are_row_numbers(name: str, texts: Sequence[str]) -> bool:
    """Return whether texts are row numbers; a field without a name must have some.

    Row numbers are whole, and each occurs once, or they begin again where parts were put together.
    """
    if not all(_ROW_NUMBER.fullmatch(text) for text in texts):
        return False
    numbers = [int(float(text)) for text in texts]
    is_numbered = len({*numbers}) == len(numbers) or _begin_again(numbers)
    return is_numbered and bool(texts or name.strip())


def _begin_again(numbers: Sequence[int]) -> bool:
    """Return whether numbers count up from 0 or 1 and begin again; flags do not count up."""
    first = numbers[0]
    count_up = all(n in (before + 1, first) for before, n in pairwise(numbers))
    return count_up and first in (0, 1) and max(numbers) > first + 1


def count_fields(rows: Sequence[Sequence[str]], names: int) -> int:
    """Count the fields of most rows; some vintages have more than names, the surplus empty."""
    counts = Counter(len(row) for row in rows if row and not any(f.strip() for f in row[names:]))
    return max([names, *(fields for fields, _ in counts.most_common(1))])
