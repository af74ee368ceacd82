"""A chain for `Mirror`: the contracts, people with money in the vault, and a way back to the start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kizuna.chain import Deployment, Devnet, rules
from kizuna.chain.abi import artifact
from kizuna.chain.deployment import creation_gas, creations, describe
from kizuna.types import Role
from support.mirror import Mirror
from support.people import INITIATOR, KEEPER, PEOPLE, STRANGER, operator_of, owner_of
from support.play import Play
from support.tasks import money, task_params, windows

CLOCK = 1_800_000_000
WALLET = 10**24

AMOUNTS = {
    "usual": money(),
    "tight": money(trainer_slash=10**19, verifier_slash=10**19, juror_fee=2 * 10**18, tip=0),
    "odd": money(price=10**18 + 1, trainer_slash=10**9 + 7, trainer_bounty_cap=10**7, cleared=3, juror_fee=7),
}
"""The demo's; stakes that no fine leaves whole and juries that cost more than the work; sums that do not divide."""

WINDOWS = windows(open=9, attest=7, seal=2, vote=8, reveal=7, challenge=9, jcommit=7, jreveal=6)
"""A block for everybody."""

SLOW = windows(open=9, attest=7, seal=2, vote=8, reveal=7, challenge=60, jcommit=90, jreveal=90)
"""A round can end before the challenges and the dockets of the one before."""


@dataclass(frozen=True)
class Ground:
    """As every task finds it."""

    devnet: Devnet
    where: Deployment
    state: str

    def task(self, *, amounts: str = "usual", budget: int = 3, **changes: Any) -> tuple[Mirror, Play]:
        """On the restored chain, a task of three rounds with a `budget` for so many, and everybody in it."""
        self.restore()
        usual: dict[str, Any] = {
            "windows": WINDOWS,
            "money": AMOUNTS[amounts],
            "min_verifier_seats": changes.get("committee", 3),
            "start_block": int(self.devnet.control("eth_blockNumber"), 16) + 12,
            "rounds": 3,
        }
        params = task_params(self.where, **usual | changes)
        mirror = Mirror(self.devnet, self.where, params, initiator=INITIATOR)
        for owner in owners():
            mirror.model.state.wallets[owner] = WALLET - purse(owner)
            mirror.model.state.accounts[rules.free_account(owner)] = purse(owner)
        people = Play(mirror)
        mirror.call("create_task", budget * rules.full_reserve(params), sender=INITIATOR)
        for role, count in zip(Role, (params.trainer_slots, params.verifier_seats), strict=True):
            for i in range(count):
                people.join(role, i)
        return mirror, people

    def restore(self) -> None:
        """Unlike reverting to a snapshot, this brings back the very same blocks: draws repeat when a game does."""
        self.devnet.control("anvil_reset")
        self.devnet.control("anvil_loadState", self.state)
        self.devnet.control("evm_setNextBlockTimestamp", CLOCK)
        self.devnet.control("anvil_setBlockTimestampInterval", 1)
        self.devnet.control("anvil_setNextBlockBaseFeePerGas", "0x0")


@contextmanager
def prepared() -> Iterator[Ground]:
    """A chain of its own, with everybody's money where it belongs; to the byte the same in every run."""
    extra = ("--timestamp", str(CLOCK - 10_000), "--gas-limit", str(10**9))
    with Devnet(mining="manual", extra=extra) as devnet:
        devnet.control("anvil_setBlockTimestampInterval", 1)
        devnet.control("anvil_autoImpersonateAccount", True)
        for who in [*owners(), STRANGER, *(operator_of(role, i) for role in Role for i in range(PEOPLE))]:
            devnet.fund(who, 10**24)
        where = _deployed(devnet)
        for owner in owners():
            _send(devnet, where, owner, "TestToken", "faucet", owner, WALLET)
            _send(devnet, where, owner, "TestToken", "approve", where.vault, 2**256 - 1)
            _send(devnet, where, owner, "Vault", "deposit", where.token, purse(owner))
            devnet.mine()
        yield Ground(devnet, where, devnet.control("anvil_dumpState"))


def _deployed(devnet: Devnet) -> Deployment:
    """The contracts, each created in a block of its own."""
    deployer = devnet.deployer().address
    planned = creations(deployer, 0, token=True)
    for creation in planned.values():
        message = {"from": deployer, "data": "0x" + creation.code.hex(), "gas": hex(creation_gas(creation.code))}
        devnet.control("eth_sendTransaction", message)
        devnet.mine()
    return describe(devnet.rpc(), planned, first_block=1)


def owners() -> list[str]:
    """Everybody who has tokens."""
    return sorted({owner_of(role, i) for role in Role for i in range(PEOPLE)} | {INITIATOR, KEEPER})


def purse(owner: str) -> int:
    """What an owner has in the vault at first: more than a stake, but not the bonds for everything it may challenge."""
    return WALLET // 2 if owner == INITIATOR else 40 * 10**18 + 7


def _send(devnet: Devnet, where: Deployment, sender: str, contract: str, function: str, *args: Any) -> None:
    data = "0x" + artifact(contract).functions[function].encode(*args).hex()
    to = where.contracts[contract].address
    devnet.control("eth_sendTransaction", {"from": sender, "to": to, "data": data, "gas": hex(10**6)})
