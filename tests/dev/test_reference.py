"""The generated reference is up to date, and describes values, types and scripts correctly."""

from __future__ import annotations

import ast
from typing import Annotated, Any, Literal

import pytest
from prefect import flow
from pydantic import Field

from reference import flows
from reference.blocks import explained, read_by, spec_of
from reference.markdown import one_line, shown
from reference.page import FILE, page


def test_the_page_is_what_the_code_says() -> None:
    """`make reference` writes it."""
    assert FILE.read_text() == page()


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (bool, "yes or no"),
        (Literal["", "a"], "empty, `a`"),
        (str | dict[str, Any], "text or JSON object"),
        (Annotated[int, Field(json_schema_extra={"minimum": 1})], "integer, 1 or more"),
        (
            Annotated[int, Field(json_schema_extra={"minimum": 1, "maximum": 12})],
            "integer, 1 to 12",
        ),
    ],
)
def test_a_type_is_said_with_what_it_allows(annotation: Any, words: str) -> None:
    assert flows.kind(annotation) == words


def test_a_parameter_that_its_docstring_leaves_out_is_named() -> None:
    @flow
    def load(color: str, year: int) -> None:  # noqa: D417 - this is the test
        """Load a year.

        Args:
            color: Dataset.
        """

    with pytest.raises(KeyError, match="year"):
        list(flows._parameters(load))


def test_a_default_is_shown_as_a_person_writes_it() -> None:
    assert [shown(value) for value in (True, False, "", 7)] == ["yes", "no", "empty", "`7`"]


def test_help_is_safe_in_a_table() -> None:
    assert one_line("a | b\n  *c* <d>") == r"a \| b \*c\* \<d>"


def test_a_script_is_read_without_running_it() -> None:
    """It gives the required variables, the blocks, and the variables that the script may read."""
    tree = ast.parse(
        'x = settings.get("A") or settings.required("B") or other.get("C")\n'
        'SPEC = BlockSpec(("B",), blocks, {"kind/zoom": check}, after=tell)'
    )
    assert spec_of(tree) == (["B"], ["kind/zoom"])
    assert read_by(tree) == {"A", "B"}


def test_a_comment_explains_all_variables_below_it() -> None:
    """The lines of the comment are joined."""
    found = explained()
    assert found["AWS_ACCESS_KEY_ID"] == found["AWS_SECRET_ACCESS_KEY"]
    assert found["DOCKER_DATA"].endswith("that user 1000 may write to.")
