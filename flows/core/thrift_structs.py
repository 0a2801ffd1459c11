"""Structs in Thrift's compact protocol, which Parquet uses for its footers.

https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any


class Kind(IntEnum):
    """The type of a field. Sets, maps and UUIDs are left out: no footer has them."""

    TRUE = 1
    FALSE = 2
    BYTE = 3
    I16 = 4
    I32 = 5
    I64 = 6
    DOUBLE = 7
    BINARY = 8
    LIST = 9
    STRUCT = 12


_INTEGERS = frozenset({Kind.I16, Kind.I32, Kind.I64})
#: Sizes in bytes of the values that have no length of their own.
_SIZES = {Kind.BYTE: 1, Kind.DOUBLE: 8}
#: The largest step between field numbers that shares a byte with the type. In the header of a list,
#: it means that the list has at least this many items, and that their number follows.
_MOST = 15

#: The fields of a struct by number, in ascending order: type and value. The value of a boolean is
#: None, of a list the type of its items and the items, of a struct its fields, of a byte or double
#: its bytes.
Fields = dict[int, tuple[int, Any]]


def fields_of(data: bytes) -> Fields:
    """Return the fields of a struct.

    Raises:
        ValueError: a field has a type that no footer has.
    """
    return _Reader(data).fields()


def bytes_of(fields: Fields) -> bytes:
    """Return the fields as a struct; unchanged fields give the bytes that they were read from."""
    out = bytearray()
    _add_fields(out, fields)
    return bytes(out)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def fields(self) -> Fields:
        found: Fields = {}
        number = 0
        while header := self._taken(1)[0]:
            step, kind = divmod(header, 16)
            number = number + step if step else self._integer()
            found[number] = kind, self._value(kind)
        return found

    def _value(self, kind: int) -> Any:
        if kind in _INTEGERS:
            return self._integer()
        if kind == Kind.BINARY:
            return self._taken(self._unsigned())
        if kind == Kind.STRUCT:
            return self.fields()
        if kind == Kind.LIST:
            return self._list()
        if kind in _SIZES:
            return self._taken(_SIZES[Kind(kind)])
        if kind in (Kind.TRUE, Kind.FALSE):
            return None
        raise ValueError(f"a field of the unknown type {kind} at byte {self._at}")

    def _list(self) -> tuple[int, list[Any]]:
        count, kind = divmod(self._taken(1)[0], 16)
        if kind in (Kind.TRUE, Kind.FALSE):
            raise ValueError(f"a list of booleans at byte {self._at}")
        items = range(self._unsigned() if count == _MOST else count)
        return kind, [self._value(kind) for _ in items]

    def _integer(self) -> int:
        zigzag = self._unsigned()
        return zigzag >> 1 ^ -(zigzag & 1)

    def _unsigned(self) -> int:
        value = shift = 0
        while (byte := self._taken(1)[0]) > 127:
            value |= (byte & 127) << shift
            shift += 7
        return value | byte << shift

    def _taken(self, size: int) -> bytes:
        self._at += size
        return self._data[self._at - size : self._at]


def _add_fields(out: bytearray, fields: Fields) -> None:
    last = 0
    for number, (kind, value) in fields.items():
        step = number - last
        out.append((step << 4 if step <= _MOST else 0) | kind)
        if step > _MOST:
            _add_integer(out, number)
        _add(out, kind, value)
        last = number
    out.append(0)


def _add(out: bytearray, kind: int, value: Any) -> None:
    if kind in _INTEGERS:
        _add_integer(out, value)
    elif kind == Kind.BINARY:
        _add_unsigned(out, len(value))
        out += value
    elif kind == Kind.STRUCT:
        _add_fields(out, value)
    elif kind == Kind.LIST:
        _add_list(out, *value)
    elif kind in _SIZES:
        out += value


def _add_list(out: bytearray, kind: int, items: list[Any]) -> None:
    out.append(min(len(items), _MOST) << 4 | kind)
    if len(items) >= _MOST:
        _add_unsigned(out, len(items))
    for item in items:
        _add(out, kind, item)


def _add_integer(out: bytearray, value: int) -> None:
    _add_unsigned(out, value << 1 if value >= 0 else ~(value << 1))


def _add_unsigned(out: bytearray, value: int) -> None:
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
