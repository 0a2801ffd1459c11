"""The verification of a dataset's months, which writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from core.errors import TripsError
from core.storage.bucket import Bucket
from monthly.columns import Column
from monthly.datasets import DATASETS
from monthly.gates.aside import read_aside
from monthly.ledger import Entry, entry_key
from monthly.month import Month, months_of_stems
from monthly.verify.bucket_checks import Inspection
from monthly.verify.findings import OBJECT_FAULTS, Fault, FaultKind, Verdict
from monthly.verify.measuring import measure_object
from monthly.verify.publisher_checks import publisher_fault
from monthly.verify.share import Share
from monthly.verify.warehouse_checks import compare
from monthly.warehouses import Recorded, Warehouse
from monthly.warehouses.month_figures import MonthFigures
from monthly.warehouses.table_columns import kept_columns, texts_aside

#: Months to inspect concurrently: each waits for the bucket, or hashes a file.
_THREADS = 4


@dataclass(frozen=True)
class Request:
    """What to verify besides the bucket's metadata.

    Attributes:
        dataset: name of the dataset.
        bucket: the bucket.
        warehouse: the warehouse; None to leave it out.
        share: which objects to read in full.
        publisher: whether to ask the publisher.
        source: the publisher to ask; empty for the one that the entry names.
    """

    dataset: str
    bucket: Bucket
    warehouse: Warehouse | None
    share: Share
    publisher: bool = False
    source: str = ""


@dataclass(frozen=True)
class _Answers:
    """What the warehouse says of all months; an error if it could not be asked."""

    recorded: Mapping[Month, Recorded]
    found: Mapping[Month, MonthFigures]
    columns: Sequence[Column]
    error: TripsError | None = None


def verify(request: Request, months: Sequence[Month] | None = None) -> list[Verdict]:
    """Return a verdict on each month; check again if another run wrote it in the meantime.

    Args:
        request: what to verify.
        months: the months; None for all that bucket, ledger or warehouse have.

    Raises:
        StorageError: the bucket cannot be listed.
    """
    verdicts = _verified(request, months)
    moved = [v.month for v in verdicts if v.faults and _has_moved(request.bucket, v)]
    again = {v.month: v for v in _verified(request, moved)} if moved else {}
    return [again.get(verdict.month, verdict) for verdict in verdicts]


def _verified(request: Request, months: Sequence[Month] | None) -> list[Verdict]:
    recorded, error = _recorded(request)
    wanted = months_there(request, recorded) if months is None else months
    with ThreadPoolExecutor(_THREADS) as pool:
        seen = list(pool.map(lambda month: _inspected(request, month, recorded), wanted))
    answers = _answers(request, recorded, seen, months, error)
    if months is None:
        others = sorted(answers.found.keys() - {*wanted})
        seen += [_inspected(request, month, recorded) for month in others]
    return [_judged(request, verdict, answers) for verdict in seen]


def months_there(request: Request, recorded: Mapping[Month, Recorded]) -> list[Month]:
    """Return the months that have an entry, an object, or a row in the warehouse's ledger."""
    name, bucket = request.dataset, request.bucket
    listed = [*bucket.files(f"ledger/{name}"), *bucket.files(f"data/{name}")]
    stems = {file.name.removesuffix(".json").removesuffix(".parquet") for file in listed}
    return sorted({*months_of_stems(name, stems), *recorded})


def _recorded(request: Request) -> tuple[Mapping[Month, Recorded], TripsError | None]:
    """Return the warehouse's ledger, or why it cannot be read."""
    try:
        return request.warehouse.recorded(request.dataset) if request.warehouse else {}, None
    except TripsError as error:
        return {}, error


def _inspected(request: Request, month: Month, recorded: Mapping[Month, Recorded]) -> Verdict:
    bucket, read = request.bucket, request.share.has(month)
    verdict = Verdict(month)
    try:
        found = Inspection(month, bucket, recorded.get(month), read).inspect()
        entry = found.entry
        if request.warehouse and entry and _lacks_figures(entry, found.faults):
            measured = measure_object(bucket, month, entry.object_key)
            entry = replace(entry, columns=measured.columns)
    except TripsError as error:
        return verdict.with_error(error)
    where = [bucket.uri(entry.object_key)] if entry and entry.object_key else []
    where += [request.warehouse.name()] if request.warehouse else []
    return replace(
        verdict,
        faults=found.faults,
        entry=entry,
        version=found.version,
        is_read=found.is_read,
        where=" -> ".join(where),
    )


def _lacks_figures(entry: Entry, faults: Sequence[Fault]) -> bool:
    """Return whether an entry from before 1.3 has an intact object to measure figures from."""
    is_sound = not {fault.kind for fault in faults} & OBJECT_FAULTS
    return is_sound and bool(entry.object_key) and not entry.columns


def _answers(
    request: Request,
    recorded: Mapping[Month, Recorded],
    seen: Sequence[Verdict],
    months: Sequence[Month] | None,
    error: TripsError | None,
) -> _Answers:
    """Ask the warehouse for the figures of all months at once."""
    dataset = DATASETS[request.dataset]
    kept = {c.name: c for v in seen if v.entry for c in kept_columns(dataset, v.entry)}
    columns = (*dataset.columns, *kept.values())
    if request.warehouse is None or error or months == []:
        return _Answers(recorded, {}, columns, error)
    moved = {c.name: c for v in seen if v.entry for c in texts_aside(columns, v.entry).values()}
    asked = (*columns, *moved.values())
    try:
        found = request.warehouse.figures(request.dataset, asked, months)
    except TripsError as failure:
        return _Answers(recorded, {}, columns, failure)
    return _Answers(recorded, found, columns)


def _judged(request: Request, verdict: Verdict, answers: _Answers) -> Verdict:
    """Add the findings of warehouse and publisher to those of the bucket."""
    if verdict.unchecked:
        return verdict
    month, entry = verdict.month, verdict.entry
    recorded, found = answers.recorded.get(month), answers.found.get(month)
    if FaultKind.OBJECT_MISSING in verdict.kinds and entry is None and not (recorded or found):
        return _absent(request.bucket, verdict)
    if answers.error:
        verdict = verdict.with_error(answers.error)
    elif request.warehouse and entry:
        name = request.warehouse.name()
        fault = compare(entry, recorded, found, answers.columns, name)
        verdict = replace(verdict, faults=(*verdict.faults, *([fault] if fault else [])))
    if request.publisher and entry and not entry.pinned:
        verdict = _asked(verdict, entry, request.source)
    return verdict


def _absent(bucket: Bucket, verdict: Verdict) -> Verdict:
    """Return the verdict on a month of which nothing is stored, or only a held file."""
    month = verdict.month
    try:
        held = read_aside(bucket, month).held
    except TripsError as error:
        return verdict.with_error(error)
    fault = Fault(FaultKind.NOT_THERE, "nothing is stored", bucket.uri(entry_key(month)))
    if held and not held.accepted_at:
        where = bucket.uri(held.entry.object_key)
        fault = Fault(FaultKind.HELD, f"held on {held.held_at[:10]}, and not accepted", where)
    return replace(verdict, faults=(fault,))


def _asked(verdict: Verdict, entry: Entry, source: str) -> Verdict:
    try:
        fault = publisher_fault(verdict.month, entry, source)
    except TripsError as error:
        return verdict.with_error(error)
    return replace(verdict, faults=(*verdict.faults, fault)) if fault else verdict


def _has_moved(bucket: Bucket, verdict: Verdict) -> bool:
    """Return whether another run has written the month's entry since it was read."""
    try:
        stored = bucket.read(entry_key(verdict.month))
    except TripsError:
        return False  # the verdict stands
    return (stored.version if stored else None) != verdict.version
