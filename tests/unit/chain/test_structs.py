"""Records of the contracts as values: addresses, sets and money rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tasks import money

from kizuna.chain import Challenge, bits, parse_address, positions, rules
from kizuna.chain.structs import from_abi, snake, to_abi
from kizuna.types import Check, Digest, Mark, Role

ADDRESS = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


@pytest.mark.parametrize("text", [ADDRESS, ADDRESS.lower(), "0x" + ADDRESS[2:].upper()])
def test_addresses_are_one_whatever_their_case(text: str) -> None:
    assert parse_address(text) == ADDRESS


def test_mistyped_checksum_is_refused() -> None:
    with pytest.raises(ValueError, match="wrong checksum"):
        parse_address(ADDRESS.replace("aAeb", "AAeb"))


@pytest.mark.parametrize("text", ["", "0x", "0x12", ADDRESS[2:], ADDRESS + "00", "0x" + "zz" * 20])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an address"):
        parse_address(text)


@given(st.sets(st.integers(0, 255)))
def test_sets_and_positions_are_inverse(members: set[int]) -> None:
    assert positions(bits(sorted(members))) == tuple(sorted(members))


@given(st.dictionaries(st.integers(0, 63), st.sampled_from(Mark)))
def test_marks_are_two_bits_each(marks: dict[int, Mark]) -> None:
    packed = rules.marks_of(marks)
    assert 0 <= packed < 1 << 128
    assert rules.marked(packed, Mark.PASS) == tuple(sorted(p for p, m in marks.items() if m is Mark.PASS))
    assert rules.marked(packed) == tuple(sorted(p for p, m in marks.items() if m is not Mark.SKIP))


def test_records_survive_the_abi() -> None:
    challenge = Challenge(3, Check.SEGMENT, 7, Digest(b"\x01" * 32))
    assert to_abi(challenge) == (3, 3, 7, b"\x01" * 32)
    assert from_abi(Challenge, to_abi(challenge)) == challenge


def test_names_follow_solidity() -> None:
    assert [snake(name) for name in ("phaseEnd", "numericsId", "jcommit")] == ["phase_end", "numerics_id", "jcommit"]


def test_reserve_covers_everything_a_round_can_owe() -> None:
    amounts = money()
    owed = 2 * amounts.price + 3 * 2 * amounts.check_fee + 3 * 2 * amounts.attest_fee
    juries = 3 * amounts.juror_fee * (2 + 3)
    assert rules.reserve(amounts, trainers=2, verifiers=3, committee=3) == owed + juries + 24 * amounts.tip


@given(st.sampled_from(Role), st.integers(0, 10**20))
def test_slash_is_burned_or_paid_to_the_wei(role: Role, stake: int) -> None:
    taken, bounty, burned = rules.slash_of(money(), role, stake)
    assert taken == bounty + burned
    assert min(stake, 1) <= taken <= stake
    assert burned * 10 >= taken * 9


def test_verifier_is_paid_for_what_it_marked() -> None:
    amounts = money()
    marks = rules.marks_of({0: Mark.PASS, 1: Mark.SKIP, 2: Mark.CHALLENGE})
    paid = rules.verifier_pay(amounts, committed=0b111, attested=True, marks=marks)
    assert paid == 3 * amounts.attest_fee + 2 * amounts.check_fee
