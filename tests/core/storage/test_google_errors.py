"""Errors on the way to Google and back that its client does not retry."""

from __future__ import annotations

import pytest
import requests
from google.api_core.exceptions import PreconditionFailed

from core.errors import Unavailable
from core.storage.google_errors import google_errors
from fakes.web import Fault, Page, Web


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        (Page(b"x" * 100), Fault(after=50)),
        (Page(b"no gzip", headers={"Content-Encoding": "gzip"}), Fault()),
    ],
    ids=["cut short", "damaged"],
)
def test_an_incomplete_response_is_transient(page: Page, fault: Fault) -> None:
    """The error comes from the library that Google's clients use for requests."""
    with Web() as web, requests.Session() as session:
        session.trust_env = False
        url = web.serve("/taxi", page)
        web.fail(fault)
        with (
            pytest.raises(Unavailable, match=r"^green 2020-10: Google does not answer"),
            google_errors("green 2020-10", "roles/any"),
        ):
            session.get(url)


def test_a_table_that_another_run_has_changed_is_transient() -> None:
    """Google's client updates a table only if it is unchanged since it was read."""
    with (
        pytest.raises(Unavailable, match=r"^green 2020-10: Google refused"),
        google_errors("green 2020-10", "roles/any"),
    ):
        raise PreconditionFailed("another ETag")  # type: ignore[no-untyped-call] # Google's
