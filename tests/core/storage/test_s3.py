"""An S3 bucket through the unmodified block and a real client."""

from __future__ import annotations

import base64
import hashlib
import io
import pickle
import socket
import zlib
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError
from moto.core.authorization import enable_iam_authentication
from prefect_aws import MinIOCredentials
from prefect_aws.client_parameters import AwsClientParameters
from prefect_aws.s3 import S3Bucket

from core.errors import Conflict, StorageError, Unavailable
from core.storage.bucket import ObjectInfo
from core.storage.s3 import S3Store
from core.storage.s3_errors import refused
from fakes.parts import check_copies, check_parts
from fakes.s3 import KEY, REGION, S3, SECRET, Objects, block, sized
from fakes.web import Fault, Page, Web

pytestmark = pytest.mark.usefixtures("s3_at_once")

#: S3's wording of a refusal (its API reference, Error Responses).
ERROR = '<?xml version="1.0"?><Error><Code>{}</Code><Message>because</Message></Error>'


@pytest.fixture
def objects(s3: S3) -> Objects:
    return s3.new_bucket("zoom-test")


@pytest.fixture
def store(s3: S3, objects: Objects) -> S3Store:
    return S3Store.of(block(s3.url, objects.name))


def faulty(web: Web, *faults: Page) -> S3Store:
    """Return a bucket whose service answers GET with these pages, one after the other."""
    for page in faults:
        web.fail(Fault(page))
    return S3Store.of(block(web.url(""), "zoom"))


def test_a_file_comes_back_as_it_went(store: S3Store, objects: Objects, tmp_path: Path) -> None:
    """It is unchanged, and the upload returns what the bucket reports afterwards."""
    path = sized(tmp_path / "sent", 3_000_001)
    info = store.upload(path, "data/green/month.parquet")
    store.download("data/green/month.parquet", tmp_path / "back")
    assert objects.listing() == {"data/green/month.parquet": path.read_bytes()}
    assert (tmp_path / "back").read_bytes() == path.read_bytes()
    assert info == store.info("data/green/month.parquet")
    assert info.size == 3_000_001
    assert info.version == f'"{hashlib.md5(path.read_bytes()).hexdigest()}"'


def test_a_folder_of_the_bucket_holds_all_keys(s3: S3, objects: Objects, tmp_path: Path) -> None:
    """The folder may begin or end with a slash; the URI shows it."""
    for folder in ("taxi", "taxi/", "/taxi/"):
        store = S3Store.of(block(s3.url, objects.name, folder))
        store.upload(sized(tmp_path / "file", 10), "data/one")
        assert store.uri("data/one") == "s3://zoom-test/taxi/data/one"
    assert set(objects.listing()) == {"taxi/data/one"}


def test_a_missing_object_is_none(store: S3Store, tmp_path: Path) -> None:
    """It has no information, no content, and nothing to delete; a download says what to run."""
    assert store.info("absent") is None
    assert store.read("absent") is None
    store.delete("absent")
    with pytest.raises(StorageError, match="s3://zoom-test/absent is gone; run flows/etl_web"):
        store.download("absent", tmp_path / "file")


def test_a_deleted_object_is_gone(store: S3Store, objects: Objects) -> None:
    """The object is deleted from the bucket itself."""
    objects.put("one", b"1")
    store.delete("one")
    assert objects.listing() == {}


def test_a_write_that_finds_what_it_read_replaces_it(store: S3Store, objects: Objects) -> None:
    """A write replaces nothing with a first version, and that with a second."""
    store.write("ledger/one.json", b"first", None)
    first = store.read("ledger/one.json")
    assert first is not None
    store.write("ledger/one.json", b"second", first.version)
    assert (first.data, objects.get("ledger/one.json")) == (b"first", b"second")


@pytest.mark.parametrize("replacing", [None, "that version"])
def test_of_two_writers_exactly_one_wins(
    store: S3Store, s3: S3, objects: Objects, replacing: str | None
) -> None:
    """Both read the same version; the second write fails and leaves no bytes."""
    other = S3Store.of(block(s3.url, objects.name))
    if replacing:
        objects.put("entry", b"before")
    seen = [bucket.read("entry") for bucket in (store, other)]
    mine, theirs = (stored.version if stored else None for stored in seen)
    other.write("entry", b"theirs", theirs)
    with pytest.raises(Conflict, match="s3://zoom-test/entry was changed by another run"):
        store.write("entry", b"mine", mine)
    assert objects.listing() == {"entry": b"theirs"}


@pytest.mark.parametrize("replacing", [False, True], ids=["the first", "another"])
def test_a_write_whose_answer_got_lost_is_not_a_conflict(
    store: S3Store, objects: Objects, replacing: bool
) -> None:
    """The client retries the write and finds its own object."""
    if replacing:
        objects.put("entry", b"before")
    seen = store.read("entry")
    requests: list[int] = []

    def lost(attempts: int, **_: object) -> int | None:
        requests.append(attempts)
        return 0 if attempts == 1 else None  # seconds until the client retries; None to stop

    events: Any = store.connection.client().meta.events  # its handlers' answers have no types
    events.register_first("needs-retry.s3.PutObject", lost)
    store.write("entry", b"mine", seen.version if seen else None)
    assert requests == [1, 2]
    assert objects.listing() == {"entry": b"mine"}


class Raw(io.BytesIO):
    """The body of a response, as the client reads it."""

    def stream(self) -> list[bytes]:
        """Return the parts of the body."""
        return [self.read()]


@pytest.mark.parametrize("replacing", [False, True], ids=["the first", "another"])
def test_of_two_writes_at_the_same_time_one_is_a_conflict(
    store: S3Store, objects: Objects, replacing: bool
) -> None:
    """S3 answers 409 while it carries out another conditional write of the object."""
    if replacing:
        objects.put("entry", b"before")
    seen = store.read("entry")
    body = ERROR.format("ConditionalRequestConflict").encode()

    def busy(request: Any, **_: object) -> AWSResponse:
        return AWSResponse(request.url, 409, HTTPHeaders(), Raw(body))

    events: Any = store.connection.client().meta.events  # its handlers' answers have no types
    events.register_first("before-send.s3.PutObject", busy)
    with pytest.raises(Conflict, match="s3://zoom-test/entry was changed by another run"):
        store.write("entry", b"mine", seen.version if seen else None)
    assert objects.listing() == ({"entry": b"before"} if replacing else {})


def test_replacing_what_was_deleted_is_a_conflict(store: S3Store, objects: Objects) -> None:
    """The entry that was read is gone, and nothing is written in its place."""
    store.write("entry", b"1", None)
    stored = store.read("entry")
    assert stored is not None
    store.delete("entry")
    with pytest.raises(Conflict):
        store.write("entry", b"2", stored.version)
    assert objects.listing() == {}


def test_an_upload_that_the_service_stored_otherwise_fails(
    store: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service's checksum is compared with the file's; another try may succeed."""
    client, path = store.connection.client(), sized(tmp_path / "file", 2000)
    real: Any = client.put_object

    def altered(**request: object) -> object:
        return real(**(request | {"Body": b"something else"}))

    monkeypatch.setattr(client, "put_object", altered)
    with pytest.raises(Unavailable, match="its checksum is not that of file"):
        store.upload(path, "key")


@pytest.mark.parametrize(("body", "same"), [(None, True), (b"something else", False)])
def test_without_a_checksum_the_etag_is_compared(
    store: S3Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    body: bytes | None,
    same: bool,
) -> None:
    """Some S3-compatible services return no SHA-256."""
    client, path = store.connection.client(), sized(tmp_path / "file", 2000)
    real: Any = client.put_object

    def silent(**request: object) -> object:
        answer = real(**(request | ({"Body": body} if body else {})))
        return {"ETag": answer["ETag"]}

    monkeypatch.setattr(client, "put_object", silent)
    if same:
        assert store.upload(path, "key").size == 2000
    else:
        with pytest.raises(Unavailable, match="its checksum is not that of file"):
            store.upload(path, "key")


def test_minio_credentials_do_as_well(s3: S3, objects: Objects) -> None:
    """The block takes this kind of credentials too."""
    credentials = MinIOCredentials(
        minio_root_user=KEY,
        minio_root_password=SECRET,
        region_name=REGION,
        aws_client_parameters=AwsClientParameters(endpoint_url=s3.url),
    )
    store = S3Store.of(S3Bucket(bucket_name=objects.name, credentials=credentials))
    store.write("one", b"1", None)
    assert objects.listing() == {"one": b"1"}


def test_it_can_be_sent_to_another_process(store: S3Store, objects: Objects) -> None:
    """It is pickled after its first use, as when months are spread over machines."""
    objects.put("one", b"12")
    store.info("one")
    sent: S3Store = pickle.loads(pickle.dumps(store))
    assert sent.info("one") == ObjectInfo(2, f'"{hashlib.md5(b"12").hexdigest()}"')


def test_every_call_has_timeouts_and_the_block_may_set_its_own(s3: S3) -> None:
    """The block's timeouts override the project's."""
    config: Any = S3Store.of(block(s3.url, "zoom")).connection.client().meta.config
    assert (config.connect_timeout, config.read_timeout) == (10, 60)
    patient = block(s3.url, "zoom")
    patient.credentials.aws_client_parameters.config = {"read_timeout": 3}
    config = S3Store.of(patient).connection.client().meta.config
    assert (config.connect_timeout, config.read_timeout) == (10, 3)


def test_a_bucket_that_is_not_there_is_named(s3: S3, tmp_path: Path) -> None:
    """Every call names it."""
    store = S3Store.of(block(s3.url, "no-such-bucket"))
    path = sized(tmp_path / "file", 10)
    for ask in (
        lambda: store.info("key"),
        lambda: store.read("key"),
        lambda: store.upload(path, "key"),
        lambda: store.download("key", tmp_path / "back"),
        lambda: store.write("key", b"", None),
        lambda: store.delete("key"),
    ):
        with pytest.raises(StorageError, match="s3://no-such-bucket/key: there is no such bucket"):
            ask()


def test_an_impossible_name_of_a_bucket_is_one_line(s3: S3) -> None:
    """The client's own message is three regular expressions."""
    with pytest.raises(StorageError) as caught:
        S3Store.of(block(s3.url, "my taxi")).read("key")
    said = "s3://my taxi/key: the name of the bucket is not valid; correct its block"
    assert str(caught.value) == said


def test_a_service_without_tls_is_reported_at_once(s3: S3) -> None:
    """A retry would not help, so it is not Unavailable."""
    with pytest.raises(StorageError, match=r"no TLS connection to S3 .*TRIPS_CA_FILE") as caught:
        S3Store.of(block(s3.url.replace("http:", "https:"), "zoom")).read("key")
    assert not isinstance(caught.value, Unavailable)


def test_a_profile_that_is_gone_is_reported_for_a_link_too() -> None:
    away = block("http://127.0.0.1:9", "zoom")
    away.credentials.profile_name = "nobodys"
    for ask in (S3Store.of(away).link, S3Store.of(away).read):
        with pytest.raises(StorageError, match=r"s3://zoom/key: no credentials: .*nobodys"):
            ask("key")


def test_unknown_credentials_are_reported(s3: S3, objects: Objects) -> None:
    """The error says how to correct them, and hides the secret."""
    store = S3Store.of(block(s3.url, objects.name))
    with enable_iam_authentication(), pytest.raises(StorageError) as caught:
        store.read("key")
    assert "InvalidAccessKeyId" in str(caught.value)
    assert "blocks/make_s3_block.py" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_access_denied_names_the_action_that_is_missing(
    s3: S3, objects: Objects, tmp_path: Path
) -> None:
    """The user's policy allows only listing the bucket."""
    iam = s3.client("iam")
    iam.create_user(UserName="reader")
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    policy = (
        '{"Version": "2012-10-17", "Statement": '
        '[{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}]}'
    )
    iam.put_user_policy(UserName="reader", PolicyName="list", PolicyDocument=policy)
    store = S3Store.of(block(s3.url, objects.name, "", key["AccessKeyId"], key["SecretAccessKey"]))
    path = sized(tmp_path / "file", 10)
    with enable_iam_authentication():
        with pytest.raises(StorageError, match=r"/key: access denied; allow .* s3:PutObject$"):
            store.upload(path, "key")
        with pytest.raises(StorageError, match=r"access denied; allow .* s3:GetObject and"):
            store.read("key")
        with pytest.raises(StorageError, match=r"access denied; allow .* s3:GetObject and"):
            store.info("key")
        with pytest.raises(StorageError, match=r"access denied; allow .* s3:DeleteObject$"):
            store.delete("key")


@pytest.mark.parametrize(
    ("status", "code"),
    [(503, "SlowDown"), (500, "InternalError"), (429, "TooMany"), (400, "RequestTimeout")],
)
def test_a_transient_error_is_unavailable(status: int, code: str) -> None:
    """Throttling and server errors are unavailable after the client's own second attempt."""
    page = Page(ERROR.format(code).encode(), status)
    with Web() as web, pytest.raises(Unavailable, match=f"s3://zoom/key: S3 says {code}: because"):
        faulty(web, page, page).read("key")


@pytest.mark.parametrize(
    "code", ["BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch"]
)
def test_an_upload_that_the_service_refuses_as_damaged_is_unavailable(code: str) -> None:
    """S3 compares the checksum that the client sends, and stores no object that differs."""
    answer: Any = {"Error": {"Code": code, "Message": "because"}}
    answer["ResponseMetadata"] = {"HTTPStatusCode": 400}
    error = refused("s3://zoom/key", ClientError(answer, "PutObject"))
    assert isinstance(error, Unavailable)
    said = f"s3://zoom/key was damaged in transit (S3 says {code}: because); run again"
    assert str(error) == said


def test_a_permanent_error_is_not_unavailable() -> None:
    """A service may lack conditional writes or not understand a request."""
    for status in (400, 501):
        page = Page(ERROR.format("Malformed").encode(), status)
        with Web() as web, pytest.raises(StorageError, match="Malformed") as caught:
            faulty(web, page, page).read("key")
        assert not isinstance(caught.value, Unavailable)


def test_nobody_there_is_unavailable(tmp_path: Path) -> None:
    """The port is closed."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        said = "s3://zoom/key: S3 cannot be reached: .*; check the network and the endpoint"
        with pytest.raises(Unavailable, match=said):
            S3Store.of(block(url, "zoom")).read("key")


def test_silence_ends_in_a_timeout() -> None:
    """The service accepts the connection and never answers."""
    with Web() as web:
        web.fail(Fault(hang=True), times=2)
        silent = block(web.url(""), "zoom")
        silent.credentials.aws_client_parameters.config = {"read_timeout": 0.1}
        with pytest.raises(Unavailable, match="Read timeout"):
            S3Store.of(silent).read("key")


def test_a_download_cut_short_is_unavailable(tmp_path: Path) -> None:
    """Only half of the announced bytes arrive, and nobody takes them for the object."""
    with Web() as web:
        web.serve("/zoom/key", Page(b"x" * 1000, etag='"e"'))
        web.fail(Fault(after=500))
        with pytest.raises(Unavailable):
            S3Store.of(block(web.url(""), "zoom")).download("key", tmp_path / "file")


@pytest.mark.parametrize("how", ["download", "read"])
def test_a_download_that_was_damaged_is_unavailable(tmp_path: Path, how: str) -> None:
    """The bytes do not match S3's checksum, which is a transient error."""
    checksum = base64.b64encode(zlib.crc32(b"sent").to_bytes(4, "big")).decode()
    with Web() as web:
        web.serve(
            "/zoom/key", Page(b"come", etag='"e"', headers={"x-amz-checksum-crc32": checksum})
        )
        store = S3Store.of(block(web.url(""), "zoom"))
        arguments = (tmp_path / "file",) if how == "download" else ()
        with pytest.raises(Unavailable, match=r"^s3://zoom/key was damaged in transit .*run again"):
            getattr(store, how)("key", *arguments)


@pytest.mark.parametrize("url", ["not a url", "ftp//x"])
def test_an_invalid_address_is_refused(url: str) -> None:
    """The error comes before anything is sent."""
    with pytest.raises(StorageError, match="Invalid endpoint"):
        S3Store.of(block(url, "zoom")).read("key")


def test_without_credentials_it_says_where_to_put_them(
    s3: S3, objects: Objects, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """There are none in the block or where boto3 looks."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    bare = block(s3.url, objects.name)
    bare.credentials.aws_access_key_id = bare.credentials.aws_secret_access_key = None
    with pytest.raises(StorageError, match=r"no credentials: .*blocks/make_s3_block.py"):
        S3Store.of(bare).read("key")


def test_a_large_file_is_not_held_in_memory(
    store: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No single read asks for even a quarter of it."""
    path, asked = sized(tmp_path / "large", 8 << 20), []

    class Watched(io.FileIO):
        def read(self, size: int | None = -1) -> bytes:
            asked.append(size)
            return super().read(-1 if size is None else size)

    monkeypatch.setattr(Path, "open", lambda path, mode: Watched(path, mode))
    store.upload(path, "large")
    assert asked
    assert all(size is not None and 0 < size <= 2 << 20 for size in asked)


def test_a_part_is_read_by_itself(store: S3Store) -> None:
    check_parts(store)


def test_a_copy_is_that_of_the_version_asked_for(store: S3Store) -> None:
    check_copies(store)


def test_a_copy_of_an_object_that_has_just_been_replaced_is_a_conflict(
    store: S3Store, objects: Objects
) -> None:
    """S3 itself compares the version."""
    objects.put("one", b"old")
    known = store.info("one")
    assert known

    def replaced(**_: object) -> None:
        objects.put("one", b"new")

    events: Any = store.connection.client().meta.events  # its handlers' answers have no types
    events.register_first("before-call.s3.CopyObject", replaced)
    with pytest.raises(Conflict, match="s3://zoom-test/one was changed by another run"):
        store.copy("one", "two", known.version)
    assert objects.listing() == {"one": b"new"}
