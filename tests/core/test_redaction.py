"""What in an address is secret, and texts without it."""

from __future__ import annotations

import pytest

from core.redaction import redacted, typed_secrets

S3 = "https://b.s3.amazonaws.com/{year}.csv?X-Amz-Credential=AK&X-Amz-Signature=0a1b2c"
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
    ],
)
def test_a_typed_secret_is_found_by_its_name(address: str, found: list[str]) -> None:
    """Fields are not typed, and a word that only contains the name is another one."""
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
    ],
)
def test_a_text_keeps_everything_but_passwords_and_signatures(text: str, shown: str) -> None:
    """In addresses of any scheme; a field of a template stays."""
    assert redacted(text) == shown


def test_known_values_are_masked_wherever_they_stand() -> None:
    """The longest first, so that no part of one is left; very short ones would hit words."""
    assert redacted("a hunter2! of hunter2", ["hunter2", "hunter2!", "of"]) == "a *** of ***"
