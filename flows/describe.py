"""Draft a dataset's declaration from one or several published files.

python flows/describe.py https://s3.amazonaws.com/tripdata/JC-202001-citibike-tripdata.csv.zip \
    --name citibike -o flows/datasets/citibike.toml
python flows/describe.py data/2019-10-street.csv data/2020-01-street.csv --name street_crime
"""

from __future__ import annotations

import argparse
import errno
import logging
import os
import re
import shutil
import stat
import sys
from pathlib import Path

from core.disk import nearest, part_of, replacing
from core.errors import BadFile, TripsError, UsageError
from orchestration.interrupts import end_by_signal
from orchestration.json_log import say
from orchestration.network import share_network
from orchestration.one_line_parser import OneLineParser
from orchestration.variables import in_file, share_early, share_secrets

_EXAMPLES = """examples:
  python flows/describe.py https://s3.amazonaws.com/tripdata/JC-202001-citibike-tripdata.csv.zip \\
      --name citibike -o flows/datasets/citibike.toml
  python flows/describe.py data/2019-10-street.csv data/2020-01-street.csv --name street_crime
"""


def main() -> int:
    """Write the draft to stdout or to a file, and all else to stderr; return the exit code."""
    options = _options()
    try:
        # Imported here, so that a wrong option is told at once.
        from monthly.describe import describe

        in_file()  # fails if it cannot be read
        share_network()
        share_early()
        share_secrets()

        draft = describe(options.files, options.name, say)
        if options.output:
            _write(options.output, draft.text)
            say(f"written: {options.output}")
        else:
            sys.stdout.write(draft.text)
        if draft.unloaded:
            names = ", ".join(draft.unloaded)
            raise BadFile(f"the draft does not load {names}; correct it as its comments say")
    except UsageError as error:
        return _fail(error, 2)
    except (TripsError, OSError) as error:
        return _fail(error, 1)
    except KeyboardInterrupt:  # by now, what it downloaded is removed
        end_by_signal()
    return 0


def _options() -> argparse.Namespace:
    parser = OneLineParser(
        description="Draft a dataset's declaration from published files: csv, csv.gz, zip, "
        "Parquet. The draft is checked: it loads the files that it was made from.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "files",
        nargs="+",
        metavar="URL_OR_FILE",
        help="a published file, one month or more of them",
    )
    parser.add_argument("--name", required=True, type=_name, help="the name of the dataset")
    parser.add_argument("-o", "--output", type=Path, help="the file to write instead of stdout")
    parser.add_argument("--force", action="store_true", help="replace that file")
    options = parser.parse_args()
    if options.output and (fault := _fault(options.output, options.name, options.force)):
        parser.error(fault)
    return options


def _fault(output: Path, name: str, force: bool) -> str:
    """Return why the draft cannot be written there; empty if it can."""
    # Not Path.is_dir, which raises PermissionError inside a folder that this user may not enter.
    if os.path.isdir(output):  # noqa: PTH112
        return f"{output} is a folder; name a file, such as {output / name}.toml"
    if not os.path.isdir(output.parent):  # noqa: PTH112
        if not os.access(closed := nearest(output.parent), os.X_OK):
            return f"this user may not enter {closed}; correct the permissions, or name another"
        return f"{output.parent} is not a folder; create it, or name a file in another one"
    is_there = os.path.exists(output)  # noqa: PTH110
    if is_there and not force:
        return f"{output} exists; add --force to replace it"
    if not (
        os.access(output, os.W_OK) if is_there else os.access(output.parent, os.W_OK | os.X_OK)
    ):
        return f"this user may not write {output}; correct the permissions, or name another file"
    return ""


def _write(output: Path, draft: str) -> None:
    """Write the draft; a file that is there is replaced atomically if a new one may take over."""
    file = Path(os.path.realpath(output))  # a link to it stays
    if not _can_be_replaced(file):
        output.write_text(draft, "utf-8")
        return
    try:
        with replacing(file, part_of(file)) as part:
            part.write_text(draft, "utf-8")
            if file.exists():
                shutil.copymode(file, part)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        output.write_text(draft, "utf-8")  # it is mounted by itself, as into a container


def _can_be_replaced(file: Path) -> bool:
    """Return whether a new file would be the same: not of a device, another owner or two names."""
    if not os.access(file.parent, os.W_OK | os.X_OK):
        return False
    found = file.stat() if file.exists() else None
    return found is None or (
        stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_uid == os.geteuid()
    )


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a name: lower-case letters, digits and _, a letter first"
        )
    return text


def _fail(error: Exception, code: int) -> int:
    say(f"Error: {error}", logging.ERROR, error=type(error).__name__)
    return code


if __name__ == "__main__":
    sys.exit(main())
