"""Secrets are found in addresses and masked in texts."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

from core.errors import Remedy, UsageError
from core.redaction import redacted, typed_secrets

S3 = "https://b.s3.amazonaws.com/{year}.csv?X-Amz-Credential=AK&X-Amz-Signature=0a1b2c"
#: In the forms of keys of Google's APIs, of Azure Functions and of OpenWeather.
GOOGLE_KEY = "AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY"
AZURE_CODE = "aB3xY0kPq8rT5uV2wZ1cD4eF6gH7iJ9kLmN0oPqRsTuVwXyZ01234A=="
HEX_KEY = "0123456789abcdef0123456789abcdef"
AZURE = "https://a.blob.core.windows.net/c/{year}.csv?sv=2022-11-02&sig=Zm9v%3D"


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("https://h/{year}-{month:02}.csv", []),
        ("https://h/export?month={year_month}&key={year}", []),
        ("https://me:pass@h/{year}.csv", ["password"]),
        ("https://token@h/{year}.csv", ["user"]),
        ("https://me:{secret.pw}@h/{year}.csv", []),
        ("https://{secret.user}:{secret.pw}@h/{year}.csv?token={secret.t}", []),
        ("https://h/{year}.csv?{secret.signature}", []),
        (S3, ["X-Amz-Signature"]),
        (AZURE, ["sig"]),
        ("https://h/f?Signature=abc&Expires=1", ["Signature"]),
        ("https://h/f?access_token=abc", ["access_token"]),
        ("https://h/f?apikey=abc&design=1&tokens=2", ["apikey"]),
        ("https://h/f?$$app_token=abc", ["$$app_token"]),
        ("https://h/f?%24%24app_token=abc", ["%24%24app_token"]),
        ("https://h/f?client_secret=abc&x-functions-key=1", ["client_secret", "x-functions-key"]),
        (f"https://h/f?key={GOOGLE_KEY}", ["key"]),
        (f"https://h/f?code={AZURE_CODE}&appid={HEX_KEY}", ["code", "appid"]),
        ("https://h/f?key=green_tripdata_2020-10.csv.gz", []),
        ("https://h/f?key=trip-data/2020-10-green-trips", []),
        ("https://h/f?key=published-monthly-exports&code=US&auth=none", []),
        (f"https://h/f?resource=5b1c1ba4-0c5a-4d0e-9a39-0b4a7b4f8f5c&id={HEX_KEY}", []),
        (f"https://h/f?monkey={GOOGLE_KEY}&keyword={GOOGLE_KEY}&passenger=1", []),
    ],
)
def test_a_literal_secret_is_found_by_its_name(address: str, found: list[str]) -> None:
    """Fields are not literal, and a word that only contains such a name does not count."""
    assert typed_secrets(address) == found


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET https://me:pass@h/f failed", "GET https://***@h/f failed"),
        (
            f"{AZURE}: 403",
            "https://a.blob.core.windows.net/c/{year}.csv?sv=2022-11-02&sig=***: 403",
        ),
        ('"postgresql://root:p%40ss@db:5432/x"', '"postgresql://***@db:5432/x"'),
        ("https://me:p@ss@h/f of a@b", "https://***@h/f of a@b"),
        ("https://me:{secret.pw}@h?sig={secret.s}", "https://me:{secret.pw}@h?sig={secret.s}"),
        ("mail to me@example.org", "mail to me@example.org"),
        (f"GET https://h/f?key={GOOGLE_KEY}, then 403", "GET https://h/f?key=***, then 403"),
        ("GET https://h/f?key={year}&key=2020-10", "GET https://h/f?key={year}&key=2020-10"),
    ],
)
def test_a_text_keeps_everything_but_passwords_and_signatures(text: str, shown: str) -> None:
    """This covers addresses of any scheme; the field of a template stays."""
    assert redacted(text) == shown


def test_known_values_are_masked_wherever_they_occur() -> None:
    """Longer values are masked first, so that no part stays; very short ones match words."""
    assert redacted("a hunter2! of hunter2", ["hunter2", "hunter2!", "of"]) == "a *** of ***"


def test_an_error_of_this_project_has_no_secret_of_an_address() -> None:
    """This holds whichever code raises it, and after pickling."""
    said = "'postgresql://me:pass@db/x' is not a block; proxy http://socks5://me:pass@h: refused"
    error = pickle.loads(pickle.dumps(UsageError(said, Remedy("force", True))))
    assert "pass" not in f"{error} {error.args} {error!r}"
    assert error.remedies == (Remedy("force", True),)


def test_an_error_does_not_control_the_terminal() -> None:
    """A server's answer may have an escape sequence, and names in an archive too."""
    error = UsageError("answered 403 \x1b[31mred\x07\x9b; one\n\ttwo é")
    assert str(error) == r"answered 403 \x1b[31mred\x07\x9b; one" "\n\ttwo é"


def test_the_names_of_the_page_are_those_that_count() -> None:
    """The page lists those that are always secret and those whose values decide."""
    page = (Path(__file__).parents[2] / "docs" / "months.md").read_text()
    always, unclear = (
        re.findall(r"`([^`=]+)`", line.split("|")[1])
        for line in page.splitlines()
        if re.match(r"\| `(sig|key)`", line)
    )
    assert len(always) > 15
    assert unclear
    for name in always:
        assert typed_secrets(f"https://h/f?{name}=a") == [name]
    for name in unclear:
        assert typed_secrets(f"https://h/f?{name}={HEX_KEY}&{name}=US") == [name]
