"""Errors on the way to Google and back that its client does not retry."""

from __future__ import annotations

import pytest
import requests
from google.api_core.exceptions import BadRequest, PreconditionFailed
from google.auth.exceptions import RefreshError

from core.errors import StorageError, Unavailable
from core.storage.google_errors import google_errors, usable_account
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


def test_a_refusal_has_the_text_of_google_and_what_to_do() -> None:
    with (
        pytest.raises(StorageError, match=r"^green 2020-10: Google refused \(no such region\); "),
        google_errors("green 2020-10", "roles/any"),
    ):
        raise BadRequest("no such region")  # type: ignore[no-untyped-call] # Google's


def test_an_account_that_is_not_accepted_is_told_once() -> None:
    """Google's error has its message, and the response that repeats it."""
    with (
        pytest.raises(StorageError) as raised,
        google_errors("green 2020-10", "roles/any"),
    ):
        raise RefreshError("invalid_grant: expired", {"error": "invalid_grant"})  # type: ignore[no-untyped-call] # Google's
    said = "green 2020-10: the account is not accepted (invalid_grant: expired); renew the key"
    assert str(raised.value).startswith(said)


def test_only_googles_errors_of_a_block_are_converted() -> None:
    """The client of BigQuery raises an OSError for a missing project."""
    with (
        pytest.raises(StorageError, match=r"block b: neither .* names a Google project"),
        usable_account("block b"),
    ):
        raise OSError("Project was not passed and could not be determined")
    with pytest.raises(FileNotFoundError), usable_account("block b"):
        raise FileNotFoundError("another file")
