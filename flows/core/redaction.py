"""Finds the secrets in addresses, and masks secrets in texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

#: Names of parameters that sign a request or stand for a password, such as `X-Amz-Signature`,
#: Azure's `sig`, CloudFront's `Signature` and Google's `X-Goog-Signature`.
_NAME = (
    r"(?:[$%\w.-]*[-_.])?(?:sig|signature|hmac|(?:access|auth|security|app)?[-_]?token|jwt|secret|"
    r"password|passwd|pwd|pass|(?:api|app|auth|access|account|functions|subscription)[-_]?key)"
)
#: Names that may stand for a secret or for something else, such as a key of Google's APIs or the
#: key of an object, a code of Azure Functions or the code of a country: their values decide.
_UNCLEAR = r"(?:key|code|auth|appid)"
#: A value without a dot or a slash, as file names have, and long enough for letters and digits to
#: be random: 16 characters or more.
_RANDOM = r"(?=[^&#\s\"'<>]*[0-9])(?=[^&#\s\"'<>]*[A-Za-z])[\w~+%-]{16,}={0,2}"
_PARAMETER = re.compile(
    rf"({_NAME})=(.*)|({_UNCLEAR})=({_RANDOM})", re.IGNORECASE | re.DOTALL | re.ASCII
)
#: A field of a template, such as {year} or {secret.NAME}.
_FIELD = re.compile(r"\{[^{}]*\}")
_MASK = "***"
#: Up to the last @ before the host, as clients read it: a typed password may have one.
_USER = re.compile(r"(?<=://)[^\s/?#\"'<>]+(?=@)")
#: A value ends before the punctuation of the surrounding sentence.
_END = r"(?=[.,:;)\]]*(?:[&#\s\"'<>]|$))"
_SIGNED = re.compile(
    rf"(?<=[?&;])(?:({_NAME})=([^&#\s\"'<>]+?)|({_UNCLEAR})=({_RANDOM})){_END}",
    re.IGNORECASE | re.ASCII,
)
#: Names of variables whose values are secret.
_VARIABLE = re.compile(
    r"(PASSWORD|PASSWD|SECRET|TOKEN|WEBHOOK|SERVICE_ACCOUNT|(?<![A-Z])KEY)", re.IGNORECASE
)
#: Shorter values are found in ordinary words and numbers.
_SHORTEST = 4


def typed_secrets(address: str) -> list[str]:
    """Return the names of the literal secrets in an address: password, or query parameters.

    A value that consists only of fields, such as `{secret.NAME}`, is not literal.
    """
    parts = urlsplit(address)
    user = parts.netloc.rpartition("@")[0]
    found = [("password" if ":" in user else "user", _password(user))]
    matches = (_PARAMETER.fullmatch(each) for each in parts.query.split("&"))
    found += [_parts_of(match) for match in matches if match]
    return [name for name, value in found if not _is_field(value)]


def redacted(text: str, values: Iterable[str] = ()) -> str:
    """Return a text with masked passwords and signatures of addresses.

    Args:
        text: any text, with any number of addresses.
        values: secrets to mask wherever they occur.
    """
    text = _USER.sub(lambda found: found[0] if _is_field(_password(found[0])) else _MASK, text)
    text = _SIGNED.sub(_masked, text)
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, _MASK) if len(value) >= _SHORTEST else text
    return text


def secrets_of(variables: Mapping[str, str]) -> set[str]:
    """Return secrets among variables: values of secret names, and passwords of addresses."""
    named = {line for n, v in variables.items() if _VARIABLE.search(n) for line in v.splitlines()}
    users = {user for v in variables.values() for user in _USER.findall(v)}
    return named | users | {_password(user) for user in users}


def _masked(found: re.Match[str]) -> str:
    name, value = _parts_of(found)
    return found[0] if _is_field(value) else f"{name}={_MASK}"


def _parts_of(found: re.Match[str]) -> tuple[str, str]:
    """Return name and value of a parameter."""
    return (found[1] or found[3], found[2] or found[4] or "")


def _password(user: str) -> str:
    """Return the password of the user part of an address; without one, a user may be a token."""
    name, _, password = user.partition(":")
    return password or name


def _is_field(value: str) -> bool:
    """Return whether a value consists of fields of a template, such as {secret.NAME}."""
    return not _FIELD.sub("", value)
