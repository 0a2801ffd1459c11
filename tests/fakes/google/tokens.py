"""Issues tokens for a refresh token, a key or a token of another issuer, and by impersonation.

It follows RFC 8693 and Google's IAM Credentials API as far as google-auth uses them, and refuses
requests that lack a required field.
"""

from __future__ import annotations

import datetime as dt
import re
import urllib.parse
from typing import Any

from fakes.google.answers import Answer, Refused, Request

ACCOUNT = "taxi@taxi-project.iam.gserviceaccount.com"
AUDIENCE = (
    "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/own"
)
#: A token of an issuer that the pool trusts.
SUBJECT_TOKEN = "header.claims.signature"
EXCHANGED, IMPERSONATED, LOCAL = "exchanged", "impersonated", "local"

_IMPERSONATION = re.compile(r"/v1/projects/-/serviceAccounts/([^/:]+):generateAccessToken")
_FORM = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "audience": AUDIENCE,
    "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    "subject_token": SUBJECT_TOKEN,
}


class Tokens:
    """The endpoints that issue tokens, and the tokens that were issued."""

    def __init__(self) -> None:
        self._issued: set[str] = set()

    def issues(self, request: Request) -> bool:
        """Return whether a request asks for a token."""
        return request.method == "POST" and (
            request.path in ("/token", "/v1/token")
            or _IMPERSONATION.fullmatch(request.path) is not None
        )

    def answer(self, request: Request) -> Answer:
        """Return a token, or why it is refused."""
        if request.path == "/token":
            return self._access_token(LOCAL)
        if request.path == "/v1/token":
            return self._exchanged(request)
        return self._impersonated(request)

    def refuse_invalid(self, request: Request) -> None:
        """Raise unless a request has a token that was issued here."""
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self._issued:
            raise Refused(401, "Request had invalid authentication credentials.")

    def _access_token(self, token: str, **more: Any) -> Answer:
        self._issued.add(token)
        answer = {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}
        return Answer({**answer, **more})

    def _exchanged(self, request: Request) -> Answer:
        form = dict(urllib.parse.parse_qsl(request.body.decode()))
        wrong = [name for name, value in _FORM.items() if form.get(name) != value]
        if wrong or not form.get("scope"):
            error = {"error": "invalid_request", "error_description": f"{wrong or 'scope'}"}
            return Answer(error, 400)
        issued = "urn:ietf:params:oauth:token-type:access_token"
        return self._access_token(EXCHANGED, issued_token_type=issued)

    def _impersonated(self, request: Request) -> Answer:
        self.refuse_invalid(request)
        match = _IMPERSONATION.fullmatch(request.path)
        if match is None or urllib.parse.unquote(match[1]) != ACCOUNT:
            raise Refused(403, "Permission 'iam.serviceAccounts.getAccessToken' denied")
        if not request.json().get("scope"):
            raise Refused(400, "scope is required")
        self._issued.add(IMPERSONATED)
        expiry = dt.datetime.now(dt.timezone.utc) + dt.timedelta(hours=1)
        time = expiry.strftime("%Y-%m-%dT%H:%M:%SZ")
        return Answer({"accessToken": IMPERSONATED, "expireTime": time})
