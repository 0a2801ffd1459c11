"""The plan for a month, made before anything is written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from core.download.remote_file import RemoteFile, without_secrets
from core.errors import Advice, NotPublished, Remedy, SourceError, StorageError
from core.storage.bucket import Bucket
from monthly.editions import edition_names
from monthly.gates.aside import NOTHING, Aside, HeldMonth, held_error, read_aside
from monthly.gates.policy import Policy
from monthly.ledger import Entry, read_entry
from monthly.ledger_notes import has_report
from monthly.month import Month
from monthly.schema_change import schema_change
from monthly.sources import is_generated, look
from monthly.unreadable_entry import refuse_unreplaceable
from monthly.warehouses import UNPIN_HERE, LoadedMonth


class Status(str, Enum):
    """The status of a published month compared with the ledger."""

    NEW = "NEW"
    CHANGED = "CHANGED"
    UNCHANGED = "UNCHANGED"
    NOT_YET_PUBLISHED = "NOT YET PUBLISHED"
    HELD = "HELD"
    PINNED = "PINNED"


@dataclass(frozen=True)
class Plan:
    """The plan for a month.

    Attributes:
        month: the month.
        status: NEW and CHANGED months are run.
        reason: human-readable reason for the status, without the month's name.
        published: the published file; None if there is none.
        entry: the ledger entry; None if there is none.
        entry_version: version for the conditional write of the next entry.
        settled_by_content: whether there is nothing to do if the published bytes are the same
            as those of the entry.
        remedies: what would give the month work to do.
        aside: what is set aside for the month.
        held_by_content: whether the month is held if the published bytes are those set aside.
        bucket_plan: the plan for the bucket alone, where only the warehouse needs the month.
        lacks_report: whether drawing its report is all that is left to do.
    """

    month: Month
    status: Status
    reason: str
    published: RemoteFile[Month] | None = None
    entry: Entry | None = None
    entry_version: str | None = None
    settled_by_content: bool = False
    remedies: tuple[Advice, ...] = ()
    aside: Aside = NOTHING
    held_by_content: bool = False
    bucket_plan: Plan | None = None
    lacks_report: bool = False

    @property
    def in_bucket(self) -> bool:
        """Return whether only the warehouse needs the month, which the bucket has as published."""
        return self.bucket_plan is not None

    @property
    def to_download(self) -> int | None:
        """Return the bytes that a run downloads; None if the publisher does not say."""
        if not self.has_work or self.in_bucket or self.published is None or self.is_generated:
            return 0
        return self.published.size

    @property
    def is_generated(self) -> bool:
        """Return whether the month is, or will be after the run, generated and not published."""
        known = self.published if self.has_work else self.entry
        return known is not None and is_generated(known.url)

    @property
    def has_work(self) -> bool:
        """Return whether the month needs a run."""
        return self.status in (Status.NEW, Status.CHANGED)

    def proves_unchanged(self, sha256: str) -> bool:
        """Return whether published bytes with this SHA-256 leave nothing to do."""
        known = self.entry.source_sha256 if self.entry else None
        return self.settled_by_content and sha256 == known

    def proven_held(self, sha256: str) -> HeldMonth | None:
        """Return the record of the held month if its published bytes have this SHA-256."""
        held = self.aside.held if self.held_by_content else None
        return held if held and held.entry.source_sha256 == sha256 else None

    @property
    def has_leftovers(self) -> bool:
        """Return whether something is still set aside although the month is as published."""
        entry, published = self.entry, self.published
        if self.status is not Status.UNCHANGED or entry is None or published is None:
            return False
        return not _only_generated(published, entry) and self.aside.is_over(entry)


#: Generated months never replace published ones unasked.
REPLACE = Remedy("force", True, "to put a generated month in its place")
#: No run replaces a pinned month, forced or not.
UNPIN = Remedy("unpin", True, "to let runs replace it", flow="history")
_RESTORE = "restore an edition of it with flows/history.py"
_LOAD_AGAIN = Remedy(
    "unpin", True, "and load it again, as no edition of it is kept", flow="history"
)
_NEW = (Status.NEW, "not in the ledger", False)


def plan_month(
    month: Month, source: str, bucket: Bucket, force: bool = False, policy: Policy | None = None
) -> Plan:
    """Compare the published file with the ledger entry, without writing anything.

    Args:
        month: the month.
        source: a name in `monthly.sources.SOURCES`, `sample`, or a URL template.
        bucket: where the month and its ledger entry are kept.
        force: treat every published month as changed.
        policy: what to do with a held month; the default one if None.

    Raises:
        StorageError: the month is pinned, and its object is gone or damaged.
        Unreachable: the publisher could not be reached.
        UsageError: the source is invalid.
    """
    plan = replace(_plan(month, source, bucket, force), aside=read_aside(bucket, month))
    return plan if force else _or_held(plan, bucket, policy or Policy())


def _plan(month: Month, source: str, bucket: Bucket, force: bool) -> Plan:
    entry, version = read_entry(bucket, month, garbled_too=force)
    if version and not entry:
        refuse_unreplaceable(bucket, month)
    if entry and entry.pinned and (damage := _damage(bucket, month, entry)):
        raise pinned_and_lost(month, entry, damage, *advice_on_pinned(bucket, month))
    plan = replace(plan_against(month, source, entry, force), entry_version=version)
    if plan.status is Status.PINNED:
        return plan
    if plan.published and entry and not force and _only_generated(plan.published, entry):
        return plan
    if plan.published and entry and (damage := _damage(bucket, month, entry)):
        return replace(plan, status=Status.CHANGED, reason=damage, settled_by_content=False)
    return plan


def _or_held(plan: Plan, bucket: Bucket, policy: Policy) -> Plan:
    """Return the plan, without work if its published file is the one that is held."""
    held, published = plan.aside.held, plan.published
    if held is None or published is None or not plan.has_work or not policy.holds(held):
        return plan
    if is_generated(published.url) != held.entry.is_generated:
        return plan
    status, _, by_content = _compare(published, held.entry, False)
    if status is Status.UNCHANGED:
        return held_plan(plan, held, bucket)
    return replace(plan, held_by_content=by_content)


def held_plan(plan: Plan, held: HeldMonth, bucket: Bucket) -> Plan:
    """Return the plan of a month that is held: there is nothing to do until it is accepted."""
    error = held_error(plan.month, held.findings, bucket.uri(held.entry.report_key or ""))
    reason = f"{plan.reason}; {plan.month.unprefixed(error.message)}"
    return replace(plan, status=Status.HELD, reason=reason, remedies=error.remedies)


def plan_against(month: Month, source: str, entry: Entry | None, force: bool = False) -> Plan:
    """Compare the published file with an entry, wherever that is kept; see `plan_month`."""
    if entry and entry.pinned:
        return _pinned_plan(month, source, entry)
    try:
        published = look(source, month, entry)
    except NotPublished as error:
        return Plan(month, Status.NOT_YET_PUBLISHED, month.unprefixed(str(error)), None, entry)
    status, reason, by_content = _compare(published, entry, force) if entry else _NEW
    plan = Plan(month, status, reason, published, entry, None, by_content)
    spared = entry and not force and _only_generated(published, entry)
    return replace(plan, remedies=(REPLACE,)) if spared else plan


def due_in_warehouse(plan: Plan, there: LoadedMonth | None, warehouse: str) -> Plan:
    """Return the plan of a month that a warehouse must have too, unchanged since it was loaded.

    Args:
        plan: the month's plan for the bucket.
        there: what the warehouse has of the month.
        warehouse: name of the warehouse, for the reason.
    """
    if plan.status not in (Status.UNCHANGED, Status.PINNED) or plan.entry is None:
        return plan
    if there is None:
        status, reason = Status.NEW, f"kept in the bucket, not yet in {warehouse}"
    elif there.sha256 != plan.entry.loaded_sha256:
        status, reason = Status.CHANGED, f"corrected in the bucket, not yet in {warehouse}"
    elif difference := there.difference(warehouse):
        status, reason = Status.CHANGED, difference
    else:
        return plan
    version = plan.entry_version
    return Plan(plan.month, status, reason, plan.published, plan.entry, version, bucket_plan=plan)


def due_for_report(plan: Plan, bucket: Bucket) -> Plan:
    """Return the plan of a month, marked if its report is missing.

    A run killed between load and report leaves no report, or that of the replaced object.
    """
    if plan.status not in (Status.UNCHANGED, Status.PINNED) or plan.entry is None:
        return plan
    if has_report(bucket, plan.month, plan.entry):
        return plan
    return replace(plan, reason=f"{plan.reason}, but its report is missing", lacks_report=True)


def _pinned_plan(month: Month, source: str, entry: Entry) -> Plan:
    """Return the plan of a pinned month, which has no work, with what the publisher has now."""
    unpin, when = UNPIN if entry.object_key else UNPIN_HERE, f"pinned on {entry.pinned[:10]}"
    try:
        plan = plan_against(month, source, replace(entry, pinned=""))
    except SourceError as error:  # such a month needs nothing from its publisher
        reason = f"{when}; the publisher gave no usable answer ({month.unprefixed(str(error))})"
        return Plan(month, Status.PINNED, reason, entry=entry, remedies=(unpin,))
    newer = (
        "the publisher may have a newer file" if plan.settled_by_content else "would be replaced"
    )
    now = {
        Status.UNCHANGED: "the publisher has the same file",
        Status.CHANGED: f"{newer} ({plan.reason})",
        Status.NOT_YET_PUBLISHED: f"the publisher no longer has it ({plan.reason})",
    }
    reason = f"{when}; {now[plan.status]}"
    return Plan(month, Status.PINNED, reason, plan.published, entry, remedies=(unpin,))


def pinned_and_lost(month: Month, entry: Entry, damage: str, *advice: Advice) -> StorageError:
    """Return the error for a pinned month that is gone or damaged."""
    when = entry.pinned[:10]
    return StorageError(f"{month}: pinned on {when}, and not fetched again: {damage}", *advice)


def advice_on_pinned(bucket: Bucket, month: Month) -> tuple[Advice, ...]:
    """Return what to do about a pinned month whose objects are gone or damaged."""
    return (_RESTORE, UNPIN) if edition_names(bucket, month) else (_LOAD_AGAIN,)


def _compare(published: RemoteFile[Month], entry: Entry, force: bool) -> tuple[Status, str, bool]:
    """Return the status, the reason, and whether equal content would settle it.

    Publishers touch files without changing them, so a new modification time with the same
    ETag is not a change; without an ETag only the content can tell.
    """
    if force:
        return Status.CHANGED, "forced", False
    if _only_generated(published, entry):
        return Status.UNCHANGED, f"was published at {entry.url}", False
    if change := schema_change(entry):
        return Status.CHANGED, change, False
    if (url := without_secrets(published.url)) != entry.url:
        return Status.CHANGED, f"published at {url}, was {entry.url or 'unknown'}", True
    if published.size is not None and published.size != entry.source_size:
        return Status.CHANGED, f"size {entry.source_size} -> {published.size} bytes", True
    if published.etag and entry.etag:
        if published.etag == entry.etag:
            return Status.UNCHANGED, "same ETag", True
        return Status.CHANGED, f"ETag {entry.etag} -> {published.etag}", True
    if published.last_modified and published.last_modified == entry.last_modified:
        return Status.UNCHANGED, "same size and modification time", True
    return Status.CHANGED, "new modification time, no ETag; the content will be compared", True


def _only_generated(published: RemoteFile[Month], entry: Entry) -> bool:
    """Return whether a generated month would replace a published one."""
    return is_generated(published.url) and not entry.is_generated


def _damage(bucket: Bucket, month: Month, entry: Entry) -> str | None:
    """Return why the object is not the one in the ledger, or None if it is.

    A version alone proves nothing: copying a bucket changes the versions.
    """
    info = bucket.info(entry.object_key)
    if info is None:
        return f"in the ledger, but {bucket.uri(entry.object_key)} is gone"
    if info.size == entry.object_size and info.version == entry.object_version:
        return None
    if bucket.sha256(entry.object_key) == entry.object_sha256:
        return None
    return "the object in the bucket is not the one in the ledger"
