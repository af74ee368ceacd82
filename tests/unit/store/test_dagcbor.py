"""DAG-CBOR has one encoding per value, and nothing else is read."""

from __future__ import annotations

import struct
from typing import Any

import libipld
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kizuna.errors import ContentMalformed, LimitExceeded
from kizuna.store import dagcbor
from kizuna.store.cid import CODECS, Cid

cids = st.builds(Cid, st.binary(min_size=32, max_size=32), st.sampled_from(sorted(CODECS)))
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
)
values = st.recursive(
    scalars | cids,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=9), inner, max_size=5),
    max_leaves=20,
)


@given(values)
def test_every_value_round_trips(value: Any) -> None:
    data = dagcbor.encode(value)
    assert dagcbor.decode(data) == value
    assert dagcbor.encode(dagcbor.decode(data)) == data


@given(st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=9), inner), max_leaves=9))
def test_another_implementation_writes_the_same_bytes(value: Any) -> None:
    assert dagcbor.encode(value) == libipld.encode_dag_cbor(value)


def test_minus_zero_is_written_as_the_zero_it_equals() -> None:
    assert dagcbor.encode(-0.0) == dagcbor.encode(0.0) == libipld.encode_dag_cbor(-0.0)


@given(st.binary(max_size=60))
@settings(max_examples=500)
def test_bytes_are_refused_or_are_the_one_encoding_of_what_they_say(data: bytes) -> None:
    try:
        value = dagcbor.decode(data)
    except (ContentMalformed, LimitExceeded):
        return
    assert dagcbor.encode(value) == data


def test_links_are_found_in_order_and_bytes_that_look_like_one_stay_bytes() -> None:
    a, b, c = (Cid.of(bytes([i])) for i in range(3))
    value = {"zz": [b, {"x": c}], "a": a, "plain": a.binary, "list": [1, "text"]}
    data = dagcbor.encode(value)
    assert dagcbor.decode(data) == value
    assert list(dagcbor.links(dagcbor.decode(data))) == [a, b, c]


LINK = b"\xd8\x2a\x58\x25\x00" + Cid.of(b"").binary


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"\x01\x01", "bytes behind"),
        (b"\x18\x17", "longer integer than need be"),
        (b"\x19\x00\xff", "longer integer than need be"),
        (b"\x1b\x00\x00\x00\x00\xff\xff\xff\xff", "longer integer than need be"),
        (b"\x58\x01a", "longer length than need be"),
        (b"\x5f\x41a\xff", "indefinite bytes"),
        (b"\x7f\x61a\xff", "indefinite text"),
        (b"\x9f\x01\xff", "indefinite list"),
        (b"\xbf\xff", "indefinite map"),
        (b"\xf7", "undefined"),
        (b"\xe0", "simple value"),
        (b"\xf8\x20", "simple value"),
        (b"\xf9\x3c\x00", "16-bit float"),
        (b"\xfa\x3f\x80\x00\x00", "32-bit float"),
        (b"\xfb" + struct.pack(">d", float("nan")), "not a number"),
        (b"\xfb" + struct.pack(">d", float("inf")), "infinite"),
        (b"\xfb" + struct.pack(">d", -0.0), "minus zero"),
        (b"\xa2\x61b\x01\x61a\x02", "unsorted"),
        (b"\xa2\x62aa\x01\x61b\x02", "sorted by bytes and not by length"),
        (b"\xa2\x61a\x01\x61a\x02", "twice the same key"),
        (b"\xa1\x01\x01", "key that is no text"),
        (b"\x61\xff", "not UTF-8"),
        (b"\x63\xed\xa0\x80", "surrogate"),
        (b"\xc1\x01", "other tag"),
        (b"\xd8\x2b" + LINK[2:], "other tag"),
        (b"\xd8\x2a\x01", "link that is no bytes"),
        (b"\xd8\x2a\x58\x24" + LINK[5:], "link without prefix"),
        (LINK[:-1], "cut off"),
        (b"\xd8\x2a\x45\x00\x01\x55\x00\x00", "identity link"),
        (b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", "count without items"),
        (b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff", "count without items"),
        (b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff", "length without bytes"),
        (b"\xff", "break"),
        (b"\x1c", "reserved"),
    ],
)
def test_what_is_not_canonical_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ContentMalformed):
        dagcbor.decode(data)


def test_depth_and_size_are_limited() -> None:
    with pytest.raises(LimitExceeded, match="deep"):
        dagcbor.decode(b"\x81" * 100_000 + b"\x01")
    with pytest.raises(LimitExceeded, match="deep"):
        dagcbor.encode([[[1]]], max_depth=2)
    assert dagcbor.decode(b"\x81\x81\x01", max_depth=2) == [[1]]
    with pytest.raises(LimitExceeded, match="65536"):
        dagcbor.decode(bytes(65_537), max_bytes=65_536)


@pytest.mark.parametrize("value", [2**64, -(2**64) - 1, float("nan"), {1: 2}, {"a", "b"}, object(), "\ud800"])
def test_what_has_no_encoding_is_refused(value: Any) -> None:
    with pytest.raises(ContentMalformed):
        dagcbor.encode(value)
