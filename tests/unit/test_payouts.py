from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kizuna import payouts
from kizuna.errors import TaskInvalid
from kizuna.task import TOKEN, Money

WEI = st.integers(0, 2**128 - 1)


@given(WEI, WEI, WEI, st.integers(0, 64))
def test_a_slash_never_exceeds_the_stake_and_every_wei_is_burned_or_paid(
    stake: int, amount: int, cap: int, challengers: int
) -> None:
    taken = payouts.slash(stake, amount)
    assert min(stake, 1) <= taken <= stake
    bounty = payouts.bounty(taken, cap)
    assert bounty <= cap and 10 * bounty <= taken
    share, dust = payouts.split(bounty, challengers)
    paid = share * challengers
    assert paid + dust == bounty
    assert payouts.burned(taken, paid) + paid == taken


def test_a_tiny_slash_does_not_vanish() -> None:
    assert payouts.slash(5, 0) == 1
    assert payouts.slash(0, 7) == 0


@given(st.integers(1, 10_000))
def test_a_thousand_slashes_of_a_thousandth_take_a_wei_at_least_and_never_more_than_there_is(stake: int) -> None:
    """Small fractions took nothing, or repeated cuts too much (Layr-Labs/eigenlayer-contracts#1088)."""
    left, burned, paid = stake, 0, 0
    for _ in range(1000):
        taken = payouts.slash(left, stake // 1000)  # 0 for stakes below a thousand wei
        assert 1 <= taken <= left or left == taken == 0
        share, _ = payouts.split(payouts.bounty(taken, stake), 1)
        left, burned, paid = left - taken, burned + payouts.burned(taken, share), paid + share
        assert left + burned + paid == stake
    assert left == max(0, stake - 1000 * max(1, stake // 1000))


def test_sixty_four_cannot_share_63_wei_and_all_of_it_burns() -> None:
    assert payouts.split(63, 64) == (0, 63)


def test_at_the_lowest_price_no_amount_rounds_away_so_a_single_seat_is_paid_in_every_round() -> None:
    """Elsewhere small stakers were punished but never paid (razor-network/oracle-contracts#185)."""
    lowest = Money(price=Decimal(10**6) / TOKEN)
    amounts = {field: lowest.wei(field) for field in Money.model_fields}
    assert min(amounts.values()) >= 1
    earned = sum(amounts["check_fee"] + amounts["attest_fee"] for _ in range(500))
    assert earned == 500 * (300_000 + 10_000)
    with pytest.raises(TaskInvalid, match="whole number of wei"):
        Money(price=Decimal(10**6) / TOKEN, attest_fee=Decimal("0.0000001")).wei("attest_fee")


def test_more_than_was_taken_cannot_be_paid() -> None:
    with pytest.raises(ValueError):
        payouts.burned(1, 2)


@pytest.mark.parametrize("members", range(200))
def test_a_quorum_is_the_least_two_thirds(members: int) -> None:
    quorum = payouts.quorum(members)
    assert 3 * quorum >= 2 * members > 3 * (quorum - 1)
