"""Everything that can go wrong with a month of trips.

    TripsError
      +-- UsageError            a parameter that cannot be meant: dataset, month, source, block
      +-- SourceError           the published file
      |     +-- NotPublished    the publisher has no such file (yet)
      |     +-- Unreachable     may pass by itself: connection, timeout, 429, 5xx
      |     +-- BadFile         a web page, cut short, empty, a bad checksum
      |           +-- Ambiguous   a value with two readings, and nothing that decides
      |           +-- WrongMonth  the rows are those of another month
      +-- SchemaError           a column that no table knows, or a required one is absent
      +-- TooManyRejects        more rows could not be converted than the threshold allows
      +-- AccountingError       rows read, written and rejected (or loaded) do not add up
      +-- StorageError          a bucket, a disk or a warehouse said no
            +-- Busy            another run holds it for longer than we wait
            +-- Unavailable     may pass by itself: connection, timeout, 429, 5xx
            +-- Conflict        the object or its ledger entry changed under this run
      +-- ClusterError          a Dask cluster did not start, or was lost

Only Unreachable, Busy and Unavailable are worth a retry, and Conflict a new plan.
Every message names what it is about (dataset, month, file, line or column), the
offending value, and what to do.
"""


class TripsError(Exception):
    """The root: anything this project raises on purpose."""


class UsageError(TripsError):
    """A parameter that cannot be meant."""


class SourceError(TripsError):
    """The published file cannot be had or cannot be used."""


class NotPublished(SourceError):
    """The publisher answers that there is no such file."""


class Unreachable(SourceError):
    """The publisher could not be asked; trying again later can help."""


class BadFile(SourceError):
    """What was published is not what its name says."""


class Ambiguous(BadFile):
    """A value of the file can be read in two ways, and nothing in the file decides."""


class WrongMonth(BadFile):
    """The rows of a file are not those of its month."""


class SchemaError(TripsError):
    """The columns of a file are not those of its dataset."""


class TooManyRejects(TripsError):
    """More rows were rejected than the threshold allows."""


class AccountingError(TripsError):
    """Two counts that must be equal are not."""


class StorageError(TripsError):
    """A bucket, a disk or a warehouse could not do what was asked."""


class Busy(StorageError):
    """Another run holds the month, the file or the table."""


class Unavailable(StorageError):
    """A bucket or a warehouse could not be asked; trying again later can help."""


class Conflict(StorageError):
    """Another run changed the object or its ledger entry meanwhile."""


class ClusterError(TripsError):
    """A Dask cluster did not start, or was lost with the work it had."""
