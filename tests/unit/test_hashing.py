from __future__ import annotations

import pytest
from eth_abi.abi import encode
from eth_hash.auto import keccak as reference_keccak
from hypothesis import given
from hypothesis import strategies as st

from kizuna.hashing import abi_words, keccak, tagged


def test_keccak_is_the_evms_and_not_fips_202() -> None:
    assert keccak(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


@given(st.binary(max_size=500))
def test_keccak_agrees_with_a_second_implementation(data: bytes) -> None:
    assert keccak(data) == keccak(bytearray(data)) == keccak(memoryview(data)) == reference_keccak(data)


@given(st.integers(0, 2**256 - 1), st.integers(-(2**255), -1), st.binary(min_size=32, max_size=32))
def test_words_are_those_of_abi_encode(unsigned: int, signed: int, digest: bytes) -> None:
    assert abi_words(unsigned, signed, digest) == encode(["uint256", "int256", "bytes32"], [unsigned, signed, digest])


@pytest.mark.parametrize("value", [2**256, -(2**255) - 1, b"", bytes(20), bytes(33)])
def test_what_does_not_fill_a_word_is_refused(value: int | bytes) -> None:
    with pytest.raises(ValueError):
        abi_words(value)


def test_a_tag_separates_equal_values() -> None:
    assert tagged("a", 1) == keccak(keccak(b"a") + (1).to_bytes(32, "big"))
    assert tagged("a", 1) != tagged("b", 1)
