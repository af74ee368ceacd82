from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kizuna import payouts

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


def test_more_than_was_taken_cannot_be_paid() -> None:
    with pytest.raises(ValueError):
        payouts.burned(1, 2)


@pytest.mark.parametrize("members", range(200))
def test_a_quorum_is_the_least_two_thirds(members: int) -> None:
    quorum = payouts.quorum(members)
    assert 3 * quorum >= 2 * members > 3 * (quorum - 1)
