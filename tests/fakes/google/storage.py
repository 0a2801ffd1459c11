"""Cloud Storage: objects with generations, preconditions, checksums and resumable uploads."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fakes.google.answers import Answer, Refused, Request, unsupported
from fakes.google.checksums import checksums_of, declared, refuse_damage

_PATH = re.compile(r"(/upload|/download)?/storage/v1/b/([^/]+)/o(?:/([^/]+))?")
_BUCKET = re.compile(r"/storage/v1/b/([^/]+)")
_REWRITE = re.compile(r"/storage/v1/b/([^/]+)/o/([^/]+)/rewriteTo/b/([^/]+)/o/([^/]+)")
#: Parameters that ask for the full response, which this server always sends.
_NO_MATTER = ("projection", "prettyPrint", "fields", "alt")
#: The size of each chunk but the last is a multiple of this (Google, "Resumable uploads").
_CHUNK_UNIT = 256 * 1024
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


@dataclass(frozen=True)
class Stored:
    """One generation of an object.

    Attributes:
        path: file with its bytes.
        resource: what the API returns about it.
    """

    path: Path
    resource: Mapping[str, Any]


@dataclass
class Upload:
    """A resumable upload in progress or finished."""

    bucket: str
    name: str
    meta: Mapping[str, Any]
    args: Mapping[str, str]
    path: Path
    finished: Mapping[str, Any] | None = None


class Storage:
    """Buckets and their objects, kept as files in a folder.

    Attributes:
        corrupts: whether the first byte of the next object is damaged on the way.
        rewrites_slowly: whether a copy takes two requests.
        shows_buckets: whether the account may ask for a bucket itself (storage.buckets.get), which
            the flows must not need.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self.corrupts = self.rewrites_slowly = self.shows_buckets = False
        self._folder, self._url = folder, url
        self._buckets: dict[str, dict[str, Stored]] = {}
        self._uploads: dict[str, Upload] = {}
        self._numbers = itertools.count(1001)

    def make(self, bucket: str) -> None:
        """Create an empty bucket."""
        self._buckets[bucket] = {}

    def objects(self, bucket: str) -> dict[str, Stored]:
        """Return the objects of a bucket, by name."""
        if bucket not in self._buckets:
            raise Refused(404, "The specified bucket does not exist.")
        return self._buckets[bucket]

    def put(self, bucket: str, name: str, data: bytes) -> None:
        """Put an object as another client would."""
        self._keep(bucket, name, self._file(data), {}, {})

    def file_of(self, uri: str) -> Path:
        """Return the file behind a `gs://` address, for BigQuery."""
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        return self._object(bucket, name).path

    def answer(self, request: Request) -> Answer:
        """Process a request."""
        rewrite = _REWRITE.fullmatch(request.path)
        if rewrite and request.method == "POST":
            names = [urllib.parse.unquote(name) for name in rewrite.groups()]
            return self._rewrite((names[0], names[1]), (names[2], names[3]), request)
        bucket_itself = _BUCKET.fullmatch(request.path)
        if bucket_itself and request.method == "GET" and self.shows_buckets:
            self.objects(bucket_itself[1])
            return Answer({"kind": "storage#bucket", "name": bucket_itself[1]})
        match = _PATH.fullmatch(request.path)
        if not match:
            raise unsupported(request)
        kind, bucket, quoted = match.groups()
        name = urllib.parse.unquote(quoted) if quoted else None
        if kind == "/upload" and name is None:
            return self._upload(bucket, request)
        self.objects(bucket)
        if request.method == "GET" and name is None:
            return Answer(self._listing(bucket, request.args))
        _only(request.args)
        if request.method == "GET" and name and kind == "/download":
            return self._media(self._object(bucket, name), request.headers.get("range"))
        if request.method == "GET" and name and kind is None:
            return Answer(self._object(bucket, name).resource)
        if request.method == "DELETE" and name:
            self._object(bucket, name)
            del self.objects(bucket)[name]
            return Answer(status=204)
        raise unsupported(request)

    def _rewrite(self, here: tuple[str, str], there: tuple[str, str], request: Request) -> Answer:
        """Copy an object, a large one in two requests, as Google does across locations."""
        args = request.args
        _only(args, "ifSourceGenerationMatch", "rewriteToken")
        found = self._object(*here)
        generation = found.resource["generation"]
        if args.get("ifSourceGenerationMatch", generation) != generation:
            raise Refused(412, "At least one of the pre-conditions you specified did not hold.")
        size, token = found.resource["size"], f"token-of-{generation}"
        progress = {"kind": "storage#rewriteResponse", "objectSize": size}
        if self.rewrites_slowly and args.get("rewriteToken") != token:
            half = str(int(size) // 2)
            return Answer(
                {**progress, "done": False, "totalBytesRewritten": half, "rewriteToken": token}
            )
        meta = {"metadata": found.resource["metadata"]}
        kept = self._keep(*there, self._file(found.path.read_bytes()), meta, {})
        return Answer({**progress, "done": True, "totalBytesRewritten": size, "resource": kept})

    def _object(self, bucket: str, name: str) -> Stored:
        found = self.objects(bucket).get(name)
        if found is None:
            raise Refused(404, f"No such object: {bucket}/{name}")
        return found

    def _media(self, found: Stored, asked: str | None) -> Answer:
        resource = found.resource
        headers = {
            "Content-Type": "application/octet-stream",
            "ETag": resource["etag"],
            "X-Goog-Generation": resource["generation"],
            "X-Goog-Metageneration": "1",
            "X-Goog-Hash": f"crc32c={resource['crc32c']},md5={resource['md5Hash']}",
        }
        if asked:
            return _part(found.path, asked, headers)
        return Answer(found.path, headers=headers)

    def _listing(self, bucket: str, args: Mapping[str, str]) -> dict[str, Any]:
        prefix, after = args.get("prefix", ""), args.get("pageToken", "")
        _only(args, "prefix", "pageToken", "maxResults", "delimiter")
        there, end = self.objects(bucket), args.get("delimiter")
        names = sorted(
            name
            for name in there
            if name.startswith(prefix) and name > after and not (end and end in name[len(prefix) :])
        )
        limit = int(args.get("maxResults", 1000))
        page = {"items": [there[name].resource for name in names[:limit]]}
        return page | ({"nextPageToken": names[limit - 1]} if len(names) > limit else {})

    def _upload(self, bucket: str, request: Request) -> Answer:
        kind = request.args.get("uploadType")
        if request.method == "PUT" and request.args.get("upload_id") in self._uploads:
            return self._continue(self._uploads[request.args["upload_id"]], request)
        if request.method == "POST" and kind == "multipart":
            meta, data = _parts(request)
            kept = self._keep(bucket, meta["name"], self._file(data), meta, request.args)
            return Answer(kept)
        if request.method == "POST" and kind == "resumable":
            return self._start(bucket, request)
        raise unsupported(request)

    def _start(self, bucket: str, request: Request) -> Answer:
        meta = request.json()
        self._check(bucket, meta["name"], request.args)
        number = f"upload{next(self._numbers)}"
        self._uploads[number] = Upload(bucket, meta["name"], meta, request.args, self._file(b""))
        location = f"{self._url}{request.path}?uploadType=resumable&upload_id={number}"
        return Answer({}, headers={"Location": location})

    def _continue(self, upload: Upload, request: Request) -> Answer:
        if upload.finished:
            return Answer(upload.finished)
        total = _append(upload.path, request)
        have = upload.path.stat().st_size
        if have != total:
            return Answer(status=308, headers={"Range": f"bytes=0-{have - 1}"} if have else {})
        meta = {**upload.meta, **declared(request)}
        upload.finished = self._keep(upload.bucket, upload.name, upload.path, meta, upload.args)
        return Answer(upload.finished)

    def _check(self, bucket: str, name: str, args: Mapping[str, str]) -> None:
        strange = {a for a in args if a.startswith("if") and a != "ifGenerationMatch"}
        if strange:
            raise Refused(501, f"{strange} are not part of this stand-in")
        there = self.objects(bucket).get(name)
        wanted = args.get("ifGenerationMatch")
        if wanted is not None and wanted != (there.resource["generation"] if there else "0"):
            raise Refused(412, "At least one of the pre-conditions you specified did not hold.")

    def _keep(
        self,
        bucket: str,
        name: str,
        path: Path,
        meta: Mapping[str, Any],
        args: Mapping[str, str],
    ) -> Mapping[str, Any]:
        """Replace an object with a file, if its checksum and precondition match."""
        self._check(bucket, name, args)
        if self.corrupts:
            self.corrupts = False
            with path.open("r+b") as file:
                file.write(b"\xff")
        sums = checksums_of(path)
        refuse_damage(meta, sums)
        generation = str(next(self._numbers))
        resource = {
            "kind": "storage#object",
            "bucket": bucket,
            "name": name,
            "size": str(path.stat().st_size),
            "generation": generation,
            "metageneration": "1",
            "updated": f"{dt.datetime.now(dt.timezone.utc):%Y-%m-%dT%H:%M:%S.%fZ}",
            "etag": f"E{generation}",
            "metadata": meta.get("metadata") or {},
            **sums,
        }
        self.objects(bucket)[name] = Stored(path, resource)
        return resource

    def _file(self, data: bytes) -> Path:
        path = self._folder / f"object{next(self._numbers)}"
        path.write_bytes(data)
        return path


def _only(args: Mapping[str, str], *known: str) -> None:
    """Refuse parameters that this server does not know, such as a precondition."""
    if strange := args.keys() - {*known, *_NO_MATTER}:
        raise Refused(501, f"{strange} are not part of this stand-in")


def _part(path: Path, asked: str, headers: Mapping[str, str]) -> Answer:
    """Return one range of a file (RFC 9110, 14.2)."""
    match = re.fullmatch(r"bytes=(\d+)-(\d+)", asked)
    if not match:
        raise Refused(501, f"range {asked!r} is not part of this stand-in")
    data, start, last = path.read_bytes(), int(match[1]), int(match[2])
    if start >= len(data):
        raise Refused(416, "Request range not satisfiable")
    part = data[start : last + 1]
    place = f"bytes {start}-{start + len(part) - 1}/{len(data)}"
    return Answer(part, 206, {**headers, "Content-Range": place})


def _append(path: Path, request: Request) -> int | None:
    """Append a chunk to a file; return the total size once the client knows it."""
    match = _CONTENT_RANGE.fullmatch(request.headers.get("content-range", ""))
    if not match:
        raise Refused(400, "an upload needs a Content-Range")
    start, last, total = match.groups()
    have, size = path.stat().st_size, len(request.body)
    if start and int(start) > have:
        raise Refused(400, f"chunk at {start}, {have} bytes are here")
    if start and int(last) - int(start) + 1 != size:
        raise Refused(400, f"a chunk of {size} bytes is not {match[0]}")
    if start and str(int(last) + 1) != total and size % _CHUNK_UNIT:
        raise Refused(400, f"a chunk of {size} bytes is not the last one")
    if start:
        with path.open("ab") as file:
            file.write(request.body[have - int(start) :])
    return None if total == "*" else int(total)


def _parts(request: Request) -> tuple[dict[str, Any], bytes]:
    """Return the metadata and the bytes of a multipart upload."""
    boundary = re.search(r'boundary="?([^";]+)', request.headers["content-type"])
    assert boundary
    mark = b"--" + boundary[1].strip("'").encode()
    first, second = request.body.split(mark)[1:3]
    meta = json.loads(first.split(b"\r\n\r\n", 1)[1])
    return meta, second.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n")
