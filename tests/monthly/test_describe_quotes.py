"""Drafts of declarations for files whose quotes are characters like any other, or may be."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from core.errors import UsageError
from fakes.drafts import Drafted, draft, values

DAYS = [dt.date(2020, 1, day) for day in range(1, 32)]


def table(*titles: str, separator: str = "\t", head: str = "day\ttitle\tn\n") -> str:
    """Return a file with a row for each day of January 2020, whose titles take turns."""
    rows = (f"{day}\t{titles[n % len(titles)]}\t{n}\n" for n, day in enumerate(DAYS))
    return (head + "".join(rows)).replace("\t", separator)


def loaded(found: Drafted, name: str = "t-2020-01.tsv") -> list[str]:
    return values(found.loaded(found.path.parent / name, "2020-01"), "title")


@pytest.mark.parametrize("separator", ["\t", "|", ";", ","])
@pytest.mark.parametrize(
    "titles",
    [
        ("plain", '"Weird" Al Yankovic', "other"),
        ("plain", '12" vinyl', "other"),
        ("plain", '7"', '"unclosed', '"whole"'),
        ('12" vinyl',),
    ],
    ids=["at the beginning", "unmatched", "several", "all rows"],
)
def test_quotes_that_enclose_no_field(
    tmp_path: Path, titles: tuple[str, ...], separator: str
) -> None:
    found = draft(tmp_path, {"t-2020-01.tsv": table(*titles, separator=separator)})
    assert not found.declared.text.quotes
    assert (found.declared.text.separator or ",") == separator
    assert loaded(found) == [titles[n % len(titles)] for n in range(31)]
    assert "all equal" in found.told[1]


def test_the_evidence_is_said(tmp_path: Path) -> None:
    text = table("a", "b", '"c"', '"d" e', 'f" g')
    found = draft(tmp_path, {"t-2020-01.tsv": text})
    evidence = "t-2020-01.tsv: in 12 of its lines, first in line 5, a quote encloses no field."
    comments = " ".join(found.text.replace("#", "").split())
    assert f"{evidence} quotes = false " in comments


def test_far_below_the_first_lines(tmp_path: Path) -> None:
    text = table("a", head="day\ttitle\tn\n" + "2020-01-01\tsome text\t5\n" * 9_000)
    found = draft(tmp_path, {"t-2020-01.tsv": text + '2020-01-31\t12" x\t1\n'})
    assert not found.declared.text.quotes
    assert loaded(found)[-1] == '12" x'


@pytest.mark.parametrize(
    "titles",
    [
        ("a", '"b"'),
        ('"a\tb"', '"Weird" Al', "c"),
        ('"a ""b"""', '12" vinyl', "c"),
        ('"a"', '"b"', '"Weird" Al'),
        ("a", '5" and 6"'),
    ],
    ids=["whole", "a separator", "doubled", "most are whole", "even"],
)
def test_quotes_that_may_enclose_fields_do(tmp_path: Path, titles: tuple[str, ...]) -> None:
    found = draft(tmp_path, {"t-2020-01.tsv": table(*titles)})
    assert found.declared.text.quotes
    has_plain = any(title.startswith('"Weird') or title == '12" vinyl' for title in titles)
    comments = " ".join(found.text.replace("#", "").split())
    assert ("see whether quotes = false in" in comments) == has_plain


def test_many_quoted_fields_outweigh_a_stray_quote(tmp_path: Path) -> None:
    """They are counted only up to a limit; stray quotes are told beyond it, too."""
    rows = '"2020-01-01"\t"a"\t"5"\n' * 60_000
    text = f'day\ttitle\tn\n{rows}"2020-01-31"\t"Weird" Al\t"6"\n'
    found = draft(tmp_path, {"t-2020-01.tsv": text})
    assert found.declared.text.quotes
    comments = " ".join(found.text.replace("#", "").split())
    assert "t-2020-01.tsv: in 1 of its lines, first in line 60002, a quote" in comments


def test_texts_with_line_breaks_explain_quotes(tmp_path: Path) -> None:
    """Each line of such a row has as many fields as a row."""
    text = "title,n\n" + "x,5\n" * 9 + '"a,b\nc",5\n'
    found = draft(tmp_path, {"t-2020-01.csv": text})
    assert (found.declared.text.quotes, found.declared.text.line_breaks) == (True, True)
    assert loaded(found, "t-2020-01.csv") == ["x"] * 9 + ["a,b\nc"]


def test_lines_that_lack_fields_stay_notes(tmp_path: Path) -> None:
    text = table('12" vinyl', "b") + "Source: the publisher\n"
    found = draft(tmp_path, {"t-2020-01.tsv": text})
    assert not found.declared.text.quotes
    assert "ends in notes" in found.text


def test_quotes_in_short_rows_may_be_cut_by_a_line_break(tmp_path: Path) -> None:
    ends = '12"', '"a" b\t1', "c\t2"
    rows = "".join(f"{day}\t{ends[n % 3]}\n" for n, day in enumerate(DAYS))
    found = draft(tmp_path, {"t-2020-01.tsv": "day\ttitle\tn\n" + rows})
    assert found.declared.text.quotes
    assert "see whether quotes = false in" in " ".join(found.text.replace("#", "").split())


def test_files_are_read_alike(tmp_path: Path) -> None:
    """What one file shows holds for the others, whose quotes could enclose texts."""
    files = {"t-2020-01.tsv": table('"a" b', "c"), "t-2020-02.tsv": table('"whole"', "c")}
    found = draft(tmp_path, files)
    assert not found.declared.text.quotes
    assert [line for line in found.told if "all equal" in line] == found.told[-2:]
    files["t-2020-02.tsv"] = table('"a\tb"', "c")
    with pytest.raises(UsageError, match=r"in t-2020-02\.tsv they enclose texts; .* separately"):
        draft(tmp_path, files)
    files["t-2020-02.tsv"] = table("b", "c", head='day\t"title"\tn\n')
    with pytest.raises(UsageError, match=r"in t-2020-02\.tsv they enclose texts"):
        draft(tmp_path, files)


@pytest.mark.parametrize(
    ("titles", "head"),
    [
        (('12" vinyl', "b"), 'day\t"title"\tn\n'),
        (('7"', "b"), 'day\ttitle\t"n"\n'),
        (('12" vinyl', '"1.5"'), "day\ttitle\tn\n"),
        (('12" vinyl', '"2020-01-31 10:00"'), "day\ttitle\tn\n"),
        (('12" vinyl', r'"say \"hi\""', "b"), "day\ttitle\tn\n"),
    ],
    ids=["name", "other name", "number", "time", "escaped"],
)
def test_quotes_that_enclose_anything_keep_the_default(
    tmp_path: Path, titles: tuple[str, ...], head: str
) -> None:
    """Publishers that enclose names or numbers enclose texts, too."""
    found = draft(tmp_path, {"t-2020-01.tsv": table(*titles, head=head)})
    assert found.declared.text.quotes
    assert "see whether quotes = false in" in " ".join(found.text.replace("#", "").split())
