"""Drafts declarations from published files, and notes what the files leave open."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.download.checks import check_file
from core.download.fetch import fetch, transport_of
from core.download.local import File
from core.download.remote_file import file_name, path_of, remote_file
from core.redaction import redacted
from monthly.declaration import Limits
from monthly.describe.addresses import month_in
from monthly.describe.checking import Checked, checked
from monthly.describe.draft import Draft, draft_of
from monthly.describe.published import Published, read_alike, read_published
from monthly.describe.rendering import rendered
from monthly.describe.zones import zone_of_repeats

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Described:
    """A draft declaration.

    Attributes:
        text: the draft.
        unloaded: names of the files that it does not load.
    """

    text: str
    unloaded: tuple[str, ...]


def describe(addresses: Sequence[str], name: str, tell: Tell = lambda line: None) -> Described:
    """Return a draft declaration of the given files, and which of them it does not load.

    Args:
        addresses: URLs or paths of files: csv, csv.gz, zip or Parquet.
        name: the name of the dataset.
        tell: called with each line about the work and its outcome.

    Raises:
        UsageError: an address is invalid, or no single declaration fits all files.
        SourceError: a file cannot be fetched or read.
    """
    with tempfile.TemporaryDirectory(prefix="describe-") as folder:
        files = [_read(a, Path(folder, "published", str(n)), tell) for n, a in enumerate(addresses)]
        draft = draft_of(name, read_alike(files))
        return _checked(draft, Path(folder), tell)


def _read(address: str, folder: Path, tell: Tell) -> Published:
    wanted = remote_file(redacted(address), address)
    name = file_name(wanted.url)
    if isinstance(transport_of(wanted.url), File):
        File().look(wanted)
        path = path_of(wanted.url)
        check_file(name, path)
    else:
        path = fetch(wanted, folder / name, lambda path, shown: check_file(shown, path, shown)).path
    found = read_published(Published(wanted.url, path, month_in(wanted.url)))
    tell(f"{name}: {found.rows:,} rows, {len(found.columns)} columns")
    return found


def _checked(draft: Draft, folder: Path, tell: Tell) -> Described:
    """Check the draft by converting its files, and return it with the findings."""
    unloaded = []
    path = folder / f"{draft.name}.toml"
    path.write_text(rendered(draft), "utf-8")
    for check in checked(draft, path, folder / "converted"):
        _note(draft, check)
        for line in _outcome(check):
            tell(line)
        if not check.converted:
            unloaded.append(check.file.name)
    text = rendered(draft)
    path.write_text(text, "utf-8")
    return Described(text, tuple(unloaded))


def _note(draft: Draft, check: Checked) -> None:
    """Add the findings of the conversion to the draft."""
    if not check.converted:
        draft.notes += [f"The draft does not load {check.file.name}: {line}" for line in check.left]
    else:
        quality, time = check.converted.quality, draft.roles.get("time")
        outside = quality.outside_month + (quality.nulls.get(time.name, 0) if time else 0)
        draft.rejected = max(draft.rejected, check.failed)
        draft.outside = draft.outside or outside > Limits().outside * quality.rows
    zone = zone_of_repeats(check.repeated) if check.repeated else ""
    if zone and not draft.time_zone:
        draft.proposals = [
            f'time_zone = "{zone}" # {check.repeated[0]} occurs twice, as when summer time ends'
        ]


def _outcome(check: Checked) -> list[str]:
    name, done = check.file.name, check.converted
    if not done:
        return [f"{name}: the draft does not load it: {line}" for line in check.left]
    compared = f"the values of {check.compared} columns compared" if check.compared else ""
    outcome = (
        f"{name}: the draft reads {done.rows_read:,} rows, writes {done.rows_written:,}, rejects "
        f"{done.rows_rejected:,}; {compared}"
    )
    lines = [f"{outcome}, all equal" if check.is_whole else outcome.rstrip("; ")]
    lines += [f"{name}: {column} differs in {n:,} rows" for column, n in check.different.items()]
    return lines + [f"{name}: rejected: {line}" for line in check.left]
