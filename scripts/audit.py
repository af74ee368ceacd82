"""Reads a task from the chain's events: who earned and lost what, and whether the books balance."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from kizuna.chain import Kizuna
from kizuna.chain.events import Burned, Deposited, Event, Fined, Flushed, Joined, Moved, Ruled, Slashed, Withdrawn
from kizuna.chain.rules import free_account
from kizuna.types import Address, Digest, Role, Ruling

BURNED = "burned"


@dataclass(frozen=True, slots=True)
class Books:
    """The vault's ledger, rebuilt from its events, against what the contract and the token say."""

    accounts: dict[Digest | str, int]
    liabilities: int
    held: int

    @property
    def balance(self) -> bool:
        return sum(self.accounts.values()) == self.liabilities == self.held and min(self.accounts.values()) >= 0


@dataclass(frozen=True, slots=True)
class Account:
    """What one owner made of its tokens, in wei. `earned` is before slashes and fines, `burned` what burned of them."""

    owner: str
    role: Role
    position: int
    earned: int
    slashed: int
    fined: int
    burned: int
    worth: int

    @property
    def gained(self) -> int:
        return self.earned - self.slashed - self.fined


def books(chain: Kizuna, events: list[Event], token: Address) -> Books:
    """Adds up every deposit, move, burn and withdrawal."""
    ledger: Counter[Digest | str] = Counter()
    for event in events:
        if isinstance(event, Deposited):
            ledger[free_account(event.owner)] += event.amount
        elif isinstance(event, Withdrawn):
            ledger[free_account(event.owner)] -= event.amount
        elif isinstance(event, Moved):
            ledger[event.from_] -= event.amount
            ledger[event.to] += event.amount
        elif isinstance(event, Burned):
            ledger[event.from_] -= event.amount
            ledger[BURNED] += event.amount
        elif isinstance(event, Flushed):
            ledger[BURNED] -= event.amount
    vault = chain.deployment.vault
    return Books(dict(ledger), chain.liabilities(token), chain.token_balance(token, vault))


def accounts(chain: Kizuna, events: list[Event], task: int, token: Address, start_wei: dict[str, int]) -> list[Account]:
    """One row a slot. `start_wei` is what each owner held before it joined."""
    slashed: Counter[tuple[Role, int]] = Counter()
    fined: Counter[tuple[Role, int]] = Counter()
    bounties: Counter[tuple[Role, int]] = Counter()
    for event in events:
        if isinstance(event, Slashed) and event.task == task:
            slashed[event.role, event.position] += event.taken
            bounties[event.role, event.position] += event.bounty
        elif isinstance(event, Fined) and event.task == task:
            fined[event.role, event.position] += event.taken
    rows = []
    for joined in events:
        if not isinstance(joined, Joined) or joined.task != task:
            continue
        place = joined.role, joined.position
        worth = purse(chain, token, joined.owner) + chain.stake_of(task, *place)
        lost = slashed[place] + fined[place]
        earned = worth - start_wei[joined.owner] + lost
        burned = lost - bounties[place]
        rows.append(Account(joined.owner, *place, earned, slashed[place], fined[place], burned, worth))
    return sorted(rows, key=lambda row: (row.role, row.position))


def purse(chain: Kizuna, token: Address, owner: Address) -> int:
    """What an owner holds outside of stakes, in wei."""
    return chain.token_balance(token, owner) + chain.free_of(token, owner)


def convictions(events: list[Event], task: int) -> list[Ruled]:
    """The rulings that went against somebody, in order."""
    guilty = (Ruling.GUILTY_GROSS, Ruling.GUILTY_LONE)
    return [event for event in events if isinstance(event, Ruled) and event.task == task and event.ruling in guilty]
