"""Money arithmetic (mirrors the Solidity library `Payout`): integers of wei, every rounding named."""

from __future__ import annotations

BOUNTY_DIVISOR = 10


def slash(stake: int, amount: int) -> int:
    """What a conviction takes: at most the stake, and at least 1 wei of a stake that is not empty."""
    return min(stake, max(amount, 1))  # Round up: repeated tiny slashes must not vanish.


def bounty(taken: int, cap: int) -> int:
    """The part of a slash that goes to who caught it: a tenth, rounded down, at most `cap`."""
    return min(cap, taken // BOUNTY_DIVISOR)


def fine(stake: int, amount: int) -> int:
    """What a fine burns: never more than the stake."""
    return min(stake, amount)


def split(bounty: int, n: int) -> tuple[int, int]:
    """(share of each of n challengers, dust to burn): floors, so nothing is paid that was not taken."""
    if n < 1:
        return 0, bounty
    return bounty // n, bounty % n


def burned(taken: int, paid: int) -> int:
    """What of a slash is burned: taken = burned + paid, to the wei. Raises ValueError if more was paid."""
    if paid > taken:
        raise ValueError("paid more than was taken")
    return taken - paid


def quorum(members: int) -> int:
    """The least number that is two thirds of a committee: ceil(2c / 3)."""
    return (2 * members + 2) // 3
