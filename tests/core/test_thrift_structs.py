"""Structs of the compact protocol: bytes worked out from its specification, and back."""

from __future__ import annotations

import pytest

from core.thrift_structs import Fields, Kind, bytes_of, fields_of


@pytest.mark.parametrize(
    ("fields", "data"),
    [
        ({}, "00"),
        ({1: (Kind.I32, 150)}, "15 ac02 00"),
        ({1: (Kind.I64, -1), 2: (Kind.I16, -300)}, "16 01 14 d704 00"),
        ({15: (Kind.TRUE, None), 16: (Kind.FALSE, None)}, "f1 12 00"),
        ({16: (Kind.BYTE, b"\x80"), 300: (Kind.I32, 0)}, "03 20 80 05 d804 00 00"),
        (
            {2: (Kind.BINARY, b"PAR"), 3: (Kind.DOUBLE, b"12345678")},
            "28 03 504152 17 3132333435363738 00",
        ),
        ({1: (Kind.STRUCT, {1: (Kind.STRUCT, {})})}, "1c 1c 00 00 00"),
        ({4: (Kind.LIST, (Kind.I32, [0, -1, 1]))}, "49 35 00 01 02 00"),
        ({1: (Kind.LIST, (Kind.I64, [0] * 14))}, "19 e6" + "00" * 15),
        ({1: (Kind.LIST, (Kind.I64, [0] * 15))}, "19 f6 0f" + "00" * 16),
        ({1: (Kind.LIST, (Kind.BINARY, [b"", b"a"]))}, "19 28 00 01 61 00"),
    ],
)
def test_a_struct_and_its_bytes(fields: Fields, data: str) -> None:
    expected = bytes.fromhex(data)
    assert bytes_of(fields) == expected
    assert fields_of(expected) == fields


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("1b 00 00", "the unknown type 11 at byte 1"),
        ("19 2b 00 00 00", "the unknown type 11 at byte 2"),
        ("19 21 01 02 00", "a list of booleans at byte 2"),
    ],
)
def test_what_no_footer_has_is_refused(data: str, said: str) -> None:
    """A map, and lists of maps and of booleans, would be written otherwise."""
    with pytest.raises(ValueError, match=said):
        fields_of(bytes.fromhex(data))
