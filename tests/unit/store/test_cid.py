"""Content ids have one spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kizuna.errors import BlockCorrupt, ContentMalformed
from kizuna.store.cid import CODECS, DAG_PB, RAW, Cid

EMPTY = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
CID = Cid.of(b"")


def test_the_empty_block_has_its_well_known_id() -> None:
    assert str(Cid.of(b"")) == EMPTY


@given(st.binary(min_size=32, max_size=32), st.sampled_from(sorted(CODECS)))
def test_text_and_bytes_round_trip(digest: bytes, codec: int) -> None:
    cid = Cid(digest, codec)
    assert Cid.parse(str(cid)) == Cid.parse(cid.binary) == cid


@pytest.mark.parametrize(
    "text",
    [
        "",
        "b",
        EMPTY[:-1],
        EMPTY + "a",
        EMPTY.upper(),
        "B" + EMPTY[1:].upper(),
        EMPTY[:-1] + "v",  # stray bits behind the last byte
        EMPTY[:20] + "=" + EMPTY[21:],
        EMPTY[:20] + "1" + EMPTY[21:],
        EMPTY[:20] + "é" + EMPTY[21:],
        " " + EMPTY[1:],
        "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG",  # CIDv0
        "zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA",  # base58
        "/ipfs/" + EMPTY,
    ],
)
def test_any_other_spelling_is_refused(text: str) -> None:
    with pytest.raises(ContentMalformed):
        Cid.parse(text)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        CID.binary[:-1],
        CID.binary + b"\0",
        b"\x00" + CID.binary[1:],
        b"\x01\x70\x13\x20" + bytes(32),  # sha2-512
        b"\x01\x55\x12\x1f" + bytes(31),
        b"\x01\x72\x12\x20" + bytes(32),  # libp2p-key
        b"\x01\xd5\x00\x12\x20" + bytes(31),  # a codec that is longer than it need be
    ],
)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ContentMalformed):
        Cid.parse(data)


def test_a_digest_must_be_32_bytes_and_a_codec_known() -> None:
    with pytest.raises(ContentMalformed, match="32 bytes"):
        Cid(bytes(31))
    with pytest.raises(ContentMalformed, match="0x129"):
        Cid(bytes(32), 0x129)


def test_check_tells_right_bytes_from_wrong_ones() -> None:
    Cid.of(b"right", DAG_PB).check(b"right")
    with pytest.raises(BlockCorrupt):
        Cid.of(b"right", RAW).check(b"wrong")
