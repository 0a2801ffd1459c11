"""Every client, through a company's proxy to hosts with the company's own certificates."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.download import hosts, http
from core.download.http import Http
from core.download.remote_file import RemoteFile
from core.errors import SourceError, StorageError, Unreachable, UsageError
from fakes.company import Company
from fakes.google import Google
from fakes.s3 import S3, block
from fakes.web import Web
from monthly.month import Month
from orchestration import network, variables
from orchestration.variables import Setting

MONTH = Month("green", 2020, 10)
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    with Company(tmp_path_factory.mktemp("company")) as found:
        yield found


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Remove proxies and certificates from the environment until the test ends."""
    for name in (*PROXIES, *network.CERTIFICATES, "TRIPS_CA_FILE"):
        for spelled in (name, name.lower()):
            monkeypatch.setenv(spelled, "")  # so that it is restored
            monkeypatch.delenv(spelled)
    http._certificates.cache_clear()
    return monkeypatch


@pytest.fixture
def inside(company: Company, plain: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the company's proxy, and its certificates in one setting, as for a command."""
    plain.setenv("HTTPS_PROXY", company.proxy)
    plain.setenv("HTTP_PROXY", company.proxy)
    plain.setenv("TRIPS_CA_FILE", str(company.certificates))
    network.share_network()
    yield
    http._certificates.cache_clear()


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as server:
        yield server


def test_a_publisher(company: Company, inside: None, web: Web) -> None:
    web.serve("/x.csv", b"abc")
    url = company.host("publisher.test", web.url(""))
    assert Http().look(RemoteFile("a file", f"{url}/x.csv")).size == 3
    assert "publisher.test" in company.visited()


def test_a_publisher_by_plain_http(company: Company, inside: None, web: Web) -> None:
    web.serve("/x.csv", b"abc")
    url = web.url("/x.csv").replace("127.0.0.1", "plain.test")
    assert Http().look(RemoteFile("a file", url)).size == 3
    assert "plain.test" in company.visited()


def test_a_bucket_of_s3(company: Company, inside: None, s3: S3) -> None:
    from orchestration.block_kinds import _s3

    objects = s3.new_bucket("company")  # for moto, other hosts would be named after a bucket
    store = _s3(block(company.host("localstack.test", s3.url), "company"))
    store.write("a/key", b"abc", None)
    assert objects.listing() == {"a/key": b"abc"}
    assert "localstack.test" in company.visited()


@pytest.fixture
def google_inside(
    company: Company, inside: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Google]:
    with Google() as google:
        url = company.host("google.test", google.url)
        for name, value in google.environment(url).items():
            monkeypatch.setenv(name, value)
        yield google


def test_cloud_storage(company: Company, google_inside: Google) -> None:
    import google.auth
    from google.cloud.storage import Client

    from core.storage.gcs import GcsStore

    google_inside.storage.make("taxi")
    account, project = google.auth.default()
    store = GcsStore(Client(project, account).bucket("taxi"))
    store.write("a/key", b"abc", None)
    assert (found := store.read("a/key"))
    assert found.data == b"abc"
    assert "google.test" in company.visited()


def test_bigquery(company: Company, google_inside: Google) -> None:
    from google.cloud.bigquery import Client

    from monthly.warehouses.bigquery import BigQuery

    assert BigQuery(Client(), "trips_data_all").loaded_month(MONTH) is None
    assert any("/bigquery/" in request.path for request in google_inside.requests)
    assert "google.test" in company.visited()


def test_the_server_of_prefect(company: Company, inside: None, web: Web) -> None:
    from prefect.client.orchestration import PrefectClient
    from prefect.settings import PREFECT_API_SSL_CERT_FILE, temporary_settings

    web.serve("/api/health", b"true")
    url = company.host("prefect.test", web.url(""))

    async def unhealthy() -> Any:
        async with PrefectClient(f"{url}/api") as client:
            return await client.api_healthcheck()

    # A command reads the variable as it imports Prefect, which was long ago in this process.
    file = os.environ["PREFECT_API_SSL_CERT_FILE"]
    with temporary_settings({PREFECT_API_SSL_CERT_FILE: file}):
        assert asyncio.run(unhealthy()) is None
    assert "prefect.test" in company.visited()


def test_git(company: Company, inside: None, web: Web, tmp_path: Path) -> None:
    """It fetches the code of deployments from GitHub; here the repository answers 404."""
    url = company.host("git.test", web.url(""))
    done = subprocess.run(
        ["git", "ls-remote", f"{url}/flows"], capture_output=True, text=True, check=False
    )
    assert "not found" in done.stderr
    assert web.requests[0].path.startswith("/flows/info/refs")


# ---- without the setting, or with a wrong one


def test_a_publisher_of_an_unknown_authority_is_refused(
    company: Company, plain: pytest.MonkeyPatch, web: Web
) -> None:
    plain.setenv("HTTPS_PROXY", company.proxy)
    network.share_network()
    url = company.host("unknown.test", web.url(""))
    with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
        Http().look(RemoteFile("a file", f"{url}/x.csv"))


def test_a_bucket_of_an_unknown_authority_is_refused(
    company: Company, plain: pytest.MonkeyPatch, s3: S3, s3_at_once: None
) -> None:
    from orchestration.block_kinds import _s3

    plain.setenv("HTTPS_PROXY", company.proxy)
    store = _s3(block(company.host("unknown-s3.test", s3.url), "company"))
    with pytest.raises(StorageError, match="CERTIFICATE_VERIFY_FAILED"):
        store.info("a/key")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_wrong_password_of_the_proxy_is_an_error_at_once_that_does_not_show_it(
    scheme: str, company: Company, plain: pytest.MonkeyPatch
) -> None:
    """Another try would not help, and may lock the user out."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        plain.setenv(name, company.proxy_for("me:wr0ng-pw"))
    with pytest.raises(SourceError, match=r"407 .*the proxy rejects the user or") as refused:
        Http().look(RemoteFile("a file", f"{scheme}://publisher.test/x.csv"))
    assert not isinstance(refused.value, Unreachable)
    assert "wr0ng" not in str(refused.value)


def test_a_bucket_behind_a_proxy_that_refuses_does_not_show_its_password(
    company: Company, plain: pytest.MonkeyPatch, s3_at_once: None
) -> None:
    from orchestration.block_kinds import _s3

    plain.setenv("HTTPS_PROXY", company.proxy_for("me:wr0ng-pw"))
    store = _s3(block("https://localstack.test", "company"))
    with pytest.raises(StorageError, match="proxy") as refused:
        store.info("a/key")
    assert "wr0ng" not in str(refused.value)


def test_a_host_in_no_proxy_is_reached_directly(
    company: Company, plain: pytest.MonkeyPatch, web: Web
) -> None:
    plain.setenv("HTTP_PROXY", company.proxy)
    plain.setenv("NO_PROXY", "localhost")
    web.serve("/x.csv", b"abc")
    url = web.url("/x.csv").replace("127.0.0.1", "localhost")
    assert Http().look(RemoteFile("a file", url)).size == 3
    assert "localhost" not in company.visited()


@pytest.mark.parametrize("known", ["", "intranet.example, 127.0.0.1"])
def test_requests_to_this_machine_bypass_the_proxy(known: str, plain: pytest.MonkeyPatch) -> None:
    plain.setenv("HTTPS_PROXY", "http://proxy.example:8080")
    plain.setenv("NO_PROXY", known)
    network.share_network()
    names = os.environ["NO_PROXY"].split(",")
    assert sorted(names) == sorted({"127.0.0.1", "localhost", "::1", *known.split(", ")} - {""})
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"]


def test_without_a_proxy_nothing_is_set(plain: pytest.MonkeyPatch) -> None:
    network.share_network()
    assert not {"NO_PROXY", "no_proxy", *network.CERTIFICATES} & os.environ.keys()


def test_a_variable_of_one_client_takes_precedence(
    company: Company, plain: pytest.MonkeyPatch
) -> None:
    plain.setenv("AWS_CA_BUNDLE", "/other.pem")
    plain.setenv("REQUESTS_CA_BUNDLE", "")  # empty counts as unset
    plain.setenv("TRIPS_CA_FILE", str(company.certificates))
    network.share_network()
    found = {name: os.environ[name] for name in network.CERTIFICATES}
    ours = dict.fromkeys(network.CERTIFICATES, str(company.certificates))
    assert found == ours | {"AWS_CA_BUNDLE": "/other.pem"}


@pytest.mark.parametrize("content", [None, b"", b"not a certificate"])
def test_a_file_without_certificates_is_refused(
    content: bytes | None, plain: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    plain.setattr(network, "setting", lambda _: Setting(str(file), "TRIPS_CA_FILE in .env"))
    with pytest.raises(
        UsageError, match=rf"^TRIPS_CA_FILE in .env: {file} is not a file of certificates"
    ):
        network.share_network()


@pytest.mark.parametrize(
    "proxy",
    [
        "socks5://me:pr0xy-pw@proxy.example:1080",
        "me:pr0xy-pw@proxy.example:8080",
        "http://me:pr0xy/pw@proxy.example:8080",
        "http://proxy.example:port",
        "http://",
    ],
)
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_that_not_every_client_can_use_is_refused(
    name: str, proxy: str, plain: pytest.MonkeyPatch
) -> None:
    """The error names the variable; a client's own error may show the password."""
    plain.setenv(name, proxy)
    with pytest.raises(UsageError, match=f"^{name} is not the address of an HTTP proxy") as refused:
        network.share_network()
    assert "pr0xy" not in str(refused.value)


@pytest.mark.parametrize("proxy", ["proxy.example:8080", "https://me:pr0xy%2Fpw@proxy.example"])
def test_a_proxy_may_lack_its_scheme_and_its_port(proxy: str, plain: pytest.MonkeyPatch) -> None:
    plain.setenv("HTTPS_PROXY", proxy)
    network.share_network()


def test_a_file_is_passed_on_by_its_absolute_path(
    company: Company, plain: pytest.MonkeyPatch
) -> None:
    """An agent starts its runs in other folders."""
    plain.chdir(company.certificates.parent)
    plain.setenv("TRIPS_CA_FILE", company.certificates.name)
    network.share_network()
    found = {os.environ[name] for name in ("TRIPS_CA_FILE", *network.CERTIFICATES)}
    assert found == {str(company.certificates)}


def test_the_default_request_limit_is_the_documented_one() -> None:
    assert variables.HOST_REQUESTS.default == str(hosts.REQUESTS)
