"""BigQuery: datasets, partitioned tables, load jobs and queries, run by DuckDB."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import duckdb

from fakes.duckdb_files import attached
from fakes.google.answers import Answer, Refused, Request, unsupported
from fakes.google.sql import rows_of, translated
from fakes.google.storage import Storage
from fakes.google.tables import Tables
from fakes.google.uploads import Uploads

_PATH = re.compile(r"(/upload)?/bigquery/v2/projects/([^/]+)/(.+)")
_LOAD_SETTINGS = {
    "destinationTable",
    "schema",
    "sourceFormat",
    "sourceUris",
    "writeDisposition",
    "createDisposition",
    "decimalTargetTypes",
    "ignoreUnknownValues",
}
_QUERY_SETTINGS = {
    "query",
    "queryParameters",
    "parameterMode",
    "useLegacySql",
    "maximumBytesBilled",
}
_MEGABYTE = 1 << 20
#: Settings of a query job that overwrites a table with its result.
_OVERWRITE = {"destinationTable", "writeDisposition", "timePartitioning", "clustering"}
_AT_ONCE = {
    "requestId",
    "location",
    "maxResults",
    "useQueryCache",
    "formatOptions",
    "labels",
    "timeoutMs",
    "jobCreationMode",
}


class BigQuery:
    """Datasets and jobs of one project.

    Attributes:
        jobs: every job by its id, as the API returns it.
        received: bytes of row data that clients sent in load jobs.
        page_rows: rows in a page of query results.
        tried: bytes that each dry run reported for its query.
    """

    def __init__(self, storage: Storage, url: str) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.received = 0
        self.page_rows = 1000
        self.tried: list[int] = []
        self._database = ExitStack()
        self.tables = Tables(self._database.enter_context(attached()))
        self._storage, self._uploads = storage, Uploads(url)
        self._results: dict[str, tuple[list[dict[str, str]], list[dict[str, Any]]]] = {}
        self._failures: list[dict[str, str]] = []

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def fail_job(self, reason: str, message: str) -> None:
        """Make the next load job fail."""
        self._failures.append({"reason": reason, "message": message})

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a table, read by DuckDB itself."""
        return self.tables.db.execute(sql).fetchall()

    def change(self, table: str, month: str, sql: str) -> None:
        """Change rows of a month as a person would; BigQuery records the time and the row count."""
        self.tables.db.execute(sql)
        self.tables.note_change("trips_data_all", table, month)

    def drop(self, dataset: str) -> None:
        """Delete a dataset as a person would; its jobs stay."""
        self.tables.drop(dataset)

    def drop_column(self, dataset: str, table: str, column: str) -> None:
        """Drop a column of a table."""
        self.tables.drop_column(dataset, table, column)

    def answer(self, request: Request) -> Answer:
        """Process a request."""
        match = _PATH.fullmatch(request.path)
        if not match:
            raise unsupported(request)
        upload, project, rest = match.groups()
        if upload and rest == "jobs":
            return self._upload(project, request)
        match [request.method, *rest.split("/")]:
            case ["POST", "jobs"]:
                return Answer(self._insert(project, request.json(), None))
            case ["POST", "queries"]:
                return Answer(self._answer_at_once(project, request.json()))
            case ["GET", "jobs", job]:
                return Answer(self._job(project, job))
            case ["GET", "queries", job]:
                self._job(project, job)
                return Answer(self._page(job, request.args))
            case [method, "datasets", *parts]:
                return self.tables.answer(project, method, parts, request)
        raise unsupported(request)

    def _job(self, project: str, job: str) -> dict[str, Any]:
        if job not in self.jobs:
            raise Refused(404, f"Not found: Job {project}:{job}")
        return self.jobs[job]

    def _upload(self, project: str, request: Request) -> Answer:
        answer, whole = self._uploads.take(request)
        if whole is None:
            return answer
        inserted = self._uploads.finished.get(whole.number)
        if inserted is None:
            self.received += len(whole.data)
            inserted = self._insert(project, whole.meta, bytes(whole.data))
            self._uploads.finished[whole.number] = inserted
        return Answer(inserted)

    def _insert(self, project: str, resource: dict[str, Any], data: bytes | None) -> dict[str, Any]:
        reference, settings = resource["jobReference"], resource["configuration"]
        number = reference["jobId"]
        _only(settings, {"load", "query", "labels", "dryRun"}, "a job")
        if settings.get("dryRun"):
            return self._tried(project, resource)
        if number in self.jobs:
            raise Refused(409, f"Already Exists: Job {project}:{number}")
        job = {
            "jobReference": {**reference, "projectId": project, "location": "US"},
            "configuration": settings,
            "status": {"state": "DONE"},
            "statistics": {},
        }
        if "load" in settings:
            self._load(job, settings["load"], data)
        else:
            self._query(number, job, settings["query"])
        self.jobs[number] = job
        return job

    def _tried(self, project: str, resource: dict[str, Any]) -> dict[str, Any]:
        """Answer a dry run with the bytes that the query would read; the job is not kept."""
        query = resource["configuration"]["query"]
        _only(query, _QUERY_SETTINGS, "a dry run")
        size = self.tables.size_of(translated(query, self.tables.need)[0])
        self.tried.append(size)
        return {
            "jobReference": {**resource["jobReference"], "projectId": project, "location": "US"},
            "configuration": resource["configuration"],
            "status": {"state": "DONE"},
            "statistics": {"query": {"totalBytesProcessed": str(size)}},
        }

    def _load(self, job: dict[str, Any], load: Mapping[str, Any], data: bytes | None) -> None:
        _only(load, _LOAD_SETTINGS, "a load job")
        _only({load["sourceFormat"]: 0}, {"PARQUET"}, "a format")
        _only({load["writeDisposition"]: 0}, {"WRITE_TRUNCATE"}, "a disposition")
        try:
            if self._failures:
                raise _JobFailed(**self._failures.pop(0))
            with self._uploads.file(data) as sent:
                path = sent or self._storage.file_of(load["sourceUris"][0])
                unknown = load.get("ignoreUnknownValues", False)
                target, schema = load["destinationTable"], load["schema"]
                _decimals(load, schema)
                rows = self.tables.replace(target, schema, path, unknown)
        except (_JobFailed, Refused) as error:
            reason = error.reason if isinstance(error, _JobFailed) else "invalid"
            said = {"reason": reason, "message": str(error)}
            job["status"] |= {"errorResult": said, "errors": [said, _DETAIL]}
        else:
            job["statistics"] = {"load": {"outputRows": str(rows)}}

    def _query(self, number: str, job: dict[str, Any], query: Mapping[str, Any]) -> None:
        overwrites = "destinationTable" in query
        _only(query, _QUERY_SETTINGS | (_OVERWRITE if overwrites else set()), "a query")
        sql, values = translated(query, self.tables.need)
        if refusal := self._over_limit(query, sql):
            said = {"reason": refusal.reason, "message": refusal.message}
            job["status"] |= {"errorResult": said, "errors": [said]}
            return
        if overwrites:
            _only({query["writeDisposition"]: 0}, {"WRITE_TRUNCATE"}, "a disposition")
            self.tables.overwrite(query["destinationTable"], sql)
            self._results[number] = ([], [])
            job["statistics"] = {"query": {"statementType": "SELECT"}}
            return
        try:
            fields, rows, changed = rows_of(self.tables.db, sql, values)
        except duckdb.Error as error:
            raise Refused(400, str(error)) from error
        self._results[number] = (fields, rows)
        kind = "SELECT" if changed is None else "MERGE"
        statistics = {"query": {"statementType": kind, "numDmlAffectedRows": changed}}
        job["statistics"] = statistics

    def _over_limit(self, query: Mapping[str, Any], sql: str) -> Refused | None:
        """Return why a query may not bill its bytes: whole megabytes, at least ten; else None."""
        if "maximumBytesBilled" not in query:
            return None
        read, most = self.tables.size_of(sql), int(query["maximumBytesBilled"])
        billed = max(-(-read // _MEGABYTE), 10) * _MEGABYTE
        if billed <= most:
            return None
        message = f"Query exceeded limit for bytes billed: {most}. {billed} or higher required."
        return Refused(400, message, "bytesBilledLimitExceeded")

    def _answer_at_once(self, project: str, body: dict[str, Any]) -> dict[str, Any]:
        """Answer a query with its first page, as pandas-gbq requests it."""
        if body.pop("dryRun", False):
            raise Refused(501, "a dry run is not part of this stand-in")
        query = {name: value for name, value in body.items() if name not in _AT_ONCE}
        number = body["requestId"]
        reference = {"jobReference": {"jobId": number}, "configuration": {"query": query}}
        failed = self._insert(project, reference, None)["status"].get("errorResult")
        if failed:
            raise Refused(400, failed["message"], failed["reason"])
        return self._page(number, {})

    def _page(self, job: str, args: Mapping[str, str]) -> dict[str, Any]:
        fields, rows = self._results[job]
        start = int(args.get("pageToken", 0))
        end = start + min(int(args.get("maxResults", self.page_rows)), self.page_rows)
        page = {
            "jobComplete": True,
            "jobReference": self.jobs[job]["jobReference"],
            "schema": {"fields": fields},
            "totalRows": str(len(rows)),
            "rows": rows[start:end],
        }
        return page | ({"pageToken": str(end)} if end < len(rows) else {})


class _JobFailed(Exception):
    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def _decimals(load: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Refuse long decimals of Parquet unless both decimal types are listed."""
    has_long = any(field["type"] == "BIGNUMERIC" for field in schema["fields"])
    if has_long and load.get("decimalTargetTypes") != ["NUMERIC", "BIGNUMERIC"]:
        raise Refused(400, "decimalTargetTypes has no type for the digits")


_DETAIL = {"reason": "invalid", "message": "row 17 of the file"}


def _only(settings: Mapping[str, Any], known: set[str], what: str) -> None:
    if strange := set(settings) - known:
        raise Refused(501, f"{what} with {strange} is not part of this stand-in")
