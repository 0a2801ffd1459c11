"""Secrets in addresses: kept as fields, with their values in requests alone."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.download import secrets
from core.download.http import Http
from core.download.remote_file import RemoteFile, without_secrets
from core.errors import SourceError, UsageError
from fakes.web import Page, Web
from monthly.declaration_faults import _source
from monthly.describe.addresses import filled, template_of
from monthly.month import Month
from monthly.sources import address, download, look
from monthly.verify.publisher_checks import source_of

MONTH = Month("green", 2020, 10)
PASSWORD = "p@ss/w:rd"


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("TRIPS_SECRET_PORTAL_KEY", PASSWORD)
    monkeypatch.setenv("TRIPS_SECRET_SAS", "sv=1&sig=Zm9v%3D")
    with Web() as server:
        yield server


def test_a_request_has_the_values_and_its_result_the_fields(web: Web, tmp_path: Path) -> None:
    """A password is percent-encoded for the address; a signed query is unchanged."""
    url = web.serve("/2020-10.csv?sv=1&sig=Zm9v%3D", Page(b"VendorID\n1\n"))
    host = url.removeprefix("http://").partition("/")[0]
    template = f"http://me:{{secret.portal-key}}@{host}/{{year_month}}.csv?{{secret.sas}}"
    wanted = f"http://me:{{secret.portal-key}}@{host}/2020-10.csv?{{secret.sas}}"
    published = look(template, MONTH)
    found = download(published, tmp_path)
    assert (published.url, found.url, without_secrets(found.url)) == (wanted, wanted, wanted)
    sent = {request.headers["authorization"] for request in web.requests}
    assert sent == {f"Basic {base64.b64encode(f'me:{PASSWORD}'.encode()).decode()}"}


@pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG])
def test_what_libraries_log_of_a_request_has_no_secret(
    level: int, web: Web, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """People lower the level of all logs to find an error."""
    monkeypatch.setenv("TRIPS_SECRET_QUERY", "v4lue")
    there = web.serve("/there?page=v4lue", b"abc")
    url = web.redirect("/here?page=v4lue", there).replace("v4lue", "{secret.query}")
    with caplog.at_level(level):
        Http().look(RemoteFile("a file", url.replace("://", "://me:l0ng@")))
    assert "/there?page=***" in caplog.text
    assert "v4lue" not in caplog.text
    assert "l0ng" not in caplog.text


def test_an_address_that_also_has_a_literal_secret_is_stored_without_its_query() -> None:
    """Only an address whose secrets are all fields stays whole."""
    assert without_secrets("https://u:{secret.a}@h/f?sig=abc") == "https://h/f"
    assert without_secrets("https://u:{secret.a}@h/f?d=1") == "https://u:{secret.a}@h/f?d=1"


def test_an_entry_with_fields_is_fetched_again_without_typing_them() -> None:
    """The stored address works as a source of the month."""
    url = "https://u:{secret.pw}@h/2020-10.csv?{secret.sas}"
    entry = SimpleNamespace(url=url)
    assert address(source_of(entry, MONTH, ""), MONTH) == url  # type: ignore[arg-type] # has an url


def test_a_refusal_names_the_secret_and_not_its_value(web: Web) -> None:
    """The value may be wrong or have expired."""
    url = web.serve("/f.csv?sv=1&sig=Zm9v%3D", Page(b"", 401)).partition("?")[0]
    with pytest.raises(SourceError, match="check the secret sas") as refused:
        look(f"{url}?{{secret.sas}}", MONTH)
    assert "Zm9v" not in str(refused.value)


@pytest.mark.parametrize("value", ["", "two words", "line\nbreak"])
def test_a_secret_without_a_usable_value_is_named(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error has the variable and the block that could have it, but not its value."""
    monkeypatch.setenv("TRIPS_SECRET_PORTAL_KEY", value)
    monkeypatch.setattr(secrets._Stores, "other", staticmethod(lambda name: None))
    with pytest.raises(UsageError, match="the secret portal-key has ") as refused:
        secrets.filled("https://h/f?{secret.portal-key}")
    said = " ".join([refused.value.message, *map(str, refused.value.remedies)])
    assert "TRIPS_SECRET_PORTAL_KEY" in said
    assert "secret/portal-key" in said
    assert not value or value not in said


def test_a_variable_takes_precedence_over_the_other_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """This is so for every setting."""
    monkeypatch.setattr(secrets._Stores, "other", staticmethod(lambda name: f"stored-{name}"))
    assert secrets.value_of("one") == "stored-one"
    monkeypatch.setenv("TRIPS_SECRET_ONE", "from-a-variable")
    assert secrets.value_of("one") == "from-a-variable"
    assert {"stored-one", "from-a-variable"} <= secrets.known_values()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("https://h/{secret.Portal}/{year}", r"has the field 'secret.Portal'.*lower-case"),
        ("https://{secret.host}/{year}", "has a secret where none can be"),
        ("/folder/{secret.x}/{year}", "has a secret where none can be"),
        ("https://me:pw12@h/{yaer}?sig=ab12", r"https://\*\*\*@h/{yaer}\?sig=\*\*\*"),
    ],
)
def test_a_wrong_source_is_refused_without_its_secrets(source: str, said: str) -> None:
    """The source has a misspelled name, a secret in the wrong place, or a literal one."""
    with pytest.raises(UsageError, match=said) as refused:
        address(source, MONTH)
    assert "pw12" not in str(refused.value)


def test_a_declaration_may_refer_to_secrets() -> None:
    """Its addresses have them, and `describe.py` keeps them as they were given."""
    assert list(_source("https://u:{secret.pw}@h/{year}.csv")) == []
    assert list(_source("https://u:{secret.PW}@h/{year}.csv")) != []
    given = "https://u:{secret.pw}@h/2020-10.csv"
    template = template_of(given, (2020, 10))
    assert template == "https://u:{secret.pw}@h/{year_month}.csv"
    assert filled(template, 2020, 10) == given
