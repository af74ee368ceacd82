"""The model and the real contracts side by side: every call goes to both, and both must answer alike."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection
from typing import Any

from kizuna.chain import Deployment, Devnet, TaskParams, rules
from kizuna.chain.abi import artifact
from kizuna.chain.errors import decode
from kizuna.chain.model import TaskModel, views
from kizuna.chain.structs import to_abi
from kizuna.types import ZERO_DIGEST, Digest, Phase, Role

TASK = 1
GAS, GAS_PRICE = 10_000_000, 10**10

CALLS = {
    "deposit": ("Vault", "deposit"),
    "withdraw": ("Vault", "withdraw"),
    "flush": ("Vault", "flush"),
    "create_task": ("Tasks", "createTask"),
    "fund": ("Tasks", "fund"),
    "cancel": ("Tasks", "cancel"),
    "finish": ("Tasks", "finish"),
    "join": ("Slots", "join"),
    "exit": ("Slots", "exit"),
    "withdraw_stake": ("Slots", "withdrawStake"),
    "announce": ("Slots", "announce"),
    "advance": ("Rounds", "advance"),
    "poke": ("Rounds", "poke"),
    "commit": ("Rounds", "commit"),
    "attest": ("Rounds", "attest"),
    "vote": ("Rounds", "vote"),
    "reveal": ("Rounds", "reveal"),
    "post_evidence": ("Rounds", "postEvidence"),
    "report_head": ("Rounds", "reportHead"),
    "claim": ("Rounds", "claim"),
    "jcommit": ("Court", "jcommit"),
    "jreveal": ("Court", "jreveal"),
    "advance_docket": ("Court", "advanceDocket"),
    "poke_court": ("Court", "poke"),
}
"""The contract and function of each of the model's calls."""


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """One answer of the contracts and what the model expects of it, both as 32-byte words."""

    contract: str
    function: str
    args: tuple[Any, ...]
    expected: Any


class Mirror:
    """One task on a chain that mines when it is told to, and its model."""

    def __init__(self, devnet: Devnet, where: Deployment, params: TaskParams, *, initiator: str) -> None:
        self.where, self.params = where, params
        self.model = TaskModel(params, task=TASK, initiator=initiator, where=where, block_hash=self._block_hash)
        self.seen: Counter[str] = Counter()  # what the run came across
        self.said = ["accepted"]  # of the last call: its refusal, and why
        self._head = int(devnet.control("eth_blockNumber"), 16)
        self._hashes: dict[int, Digest] = {}
        self._sent: list[tuple[str, str, Exception | None]] = []  # call, transaction, what the model says
        self._fresh: list[tuple[str, bool]] = []  # mined and not yet compared
        self._node = HTTPConnection("127.0.0.1", devnet.port, timeout=60)
        self.model.now = self.next_block

    def close(self) -> None:
        self._node.close()

    @property
    def next_block(self) -> int:
        """The block that the next call stands in."""
        return self._head + 1

    @property
    def holding(self) -> bool:
        """Whether calls wait for another to share their block with."""
        return bool(self._sent)

    # --- acting ---

    def call(self, name: str, *args: Any, sender: str, hold: bool = False) -> bool:
        """The same call on both sides, in a block of its own or, with `hold`, in one with the call after it.

        Whether it was accepted, by both.
        """
        refusal = self.model.attempt(name, *args, sender=sender, block=self.next_block)
        contract, function = CALLS[name]
        data = artifact(contract).functions[function].encode(*map(to_abi, self._full(name, args)))
        message = {
            "from": sender,
            "to": self.where.contracts[contract].address,
            "data": "0x" + data.hex(),
            "gas": hex(GAS),
            "gasPrice": hex(GAS_PRICE - len(self._sent)),  # the order in a block is that of what is paid
        }
        self.said = _shown(refusal)
        self._sent.append((name, self._ask("eth_sendTransaction", message), refusal))
        if not hold:
            self._mine_sent()
        return refusal is None

    def mine(self, blocks: int) -> None:
        """Time goes by."""
        if self._sent:
            self._mine_sent()
        if blocks:
            self._ask("anvil_mine", hex(blocks))
            self._head += blocks
            self.model.now = self.next_block

    # --- comparing ---

    def compare(self) -> None:
        """Raises AssertionError at the first receipt or view that is not as the model has it."""
        if self._sent or not self._fresh:
            return
        receipts, self._fresh = self._fresh, []
        wanted = list(self._views())
        asked = [("eth_getTransactionReceipt", [transaction]) for transaction, _ in receipts]
        asked += [("eth_call", [self._message(view), "latest"]) for view in wanted]
        answers = self._batch(asked)
        for (transaction, accepted), receipt in zip(receipts, answers, strict=False):
            assert accepted == (receipt["status"] == "0x1"), transaction
        for view, answer in zip(wanted, answers[len(receipts) :], strict=True):
            data = bytes.fromhex(answer[2:])
            found = [int.from_bytes(data[at : at + 32], "big") for at in range(0, len(data), 32)]
            assert found == _words(view.expected), _difference(view, found)

    def _batch(self, asked: Sequence[tuple[str, list[Any]]]) -> list[Any]:
        """Many questions in one request; a view costs next to nothing then."""
        body = [{"jsonrpc": "2.0", "id": i, "method": m, "params": params} for i, (m, params) in enumerate(asked)]
        self._node.request("POST", "/", json.dumps(body), {"Content-Type": "application/json"})
        answers = json.loads(self._node.getresponse().read())
        return [answer["result"] for answer in sorted(answers, key=lambda answer: answer["id"])]

    def _ask(self, method: str, *params: Any) -> Any:
        return self._batch([(method, list(params))])[0]

    # --- inside ---

    def _full(self, name: str, args: Sequence[Any]) -> Sequence[Any]:
        """The arguments as the contract takes them."""
        if name == "create_task":
            return (self.params, *args)
        return (self.params.token if CALLS[name][0] == "Vault" else TASK, *args)

    def _mine_sent(self) -> None:
        (block,) = self._ask("evm_mine_detailed")
        self._head, self._hashes[int(block["number"], 16)] = self.next_block, Digest(bytes.fromhex(block["hash"][2:]))
        self.model.now = self.next_block
        sent, self._sent = self._sent, []
        assert [transaction["hash"] for transaction in block["transactions"]] == [hash for _, hash, _ in sent]
        for (name, hash, refusal), transaction in zip(sent, block["transactions"], strict=True):
            found = decode(transaction["output"]) if "revertReason" in transaction else None
            expected, actual = _shown(refusal), _shown(found)
            assert actual[: len(expected)] == expected, f"{name}: the model says {expected}, the contract {actual}"
            self._fresh.append((hash, refusal is None))
            self.seen[name if refusal is None else " ".join(expected)] += 1
        for state in self.model.state.rounds:
            self.seen[f"phase {state.phase.name}"] += 1

    def _block_hash(self, number: int) -> Digest:
        if number not in self._hashes:
            block = self._ask("eth_getBlockByNumber", hex(number), False)
            self._hashes[number] = Digest(bytes.fromhex(block["hash"][2:]))
        return self._hashes[number]

    def _message(self, view: View) -> dict[str, str]:
        data = artifact(view.contract).functions[view.function].encode(*map(to_abi, view.args))
        return {"to": self.where.contracts[view.contract].address, "data": "0x" + data.hex()}

    def _views(self) -> Iterator[View]:
        model = self.model
        yield View("Tasks", "stateOf", (TASK,), model.state.task)
        yield View("Rounds", "nextRound", (TASK,), model.next_round())
        yield View("Rounds", "settledThrough", (TASK,), model.settled_through())
        yield View("Slots", "ready", (TASK,), [model.ready(role) for role in Role])
        for role, slots in model.state.slots.items():
            yield View("Slots", "convicted", (TASK, role), model.convicted(role))
            for position in range(len(slots)):
                yield View("Slots", "slot", (TASK, role, position), views.slot(model, role, position))
        for number in range(1, model.next_round()):
            yield from self._round_views(number)
        yield from self._money_views()

    def _round_views(self, number: int) -> Iterator[View]:
        model, state, key = self.model, self.model.state.rounds[number - 1], (TASK, number)
        yield View("Rounds", "round", key, views.round(model, number))
        outcome = model.outcome(number)
        decided = [model.closed(number), outcome.guilty[Role.TRAINER], outcome.cleared, outcome.guilty[Role.VERIFIER]]
        yield View("Court", "outcome", key, decided)
        yield View("Court", "spentOf", key, outcome.spent)
        yield View("Court", "bondFor", key, model.bond_for(number))
        for which in (1, 2):
            yield View("Court", "docket", (*key, which), views.docket(model, number, which))
            for i, dispute in enumerate(views.disputes(model, number, which)):
                yield View("Court", "dispute", (*key, which, i), dispute)
        for position in range(len(model.state.slots[Role.TRAINER])):
            yield View("Rounds", "commitment", (*key, position), views.commitment(model, number, position))
        for position in range(len(model.state.slots[Role.VERIFIER])):
            if state.audit is not None:
                yield View("Rounds", "auditOf", (*key, position), model.audit_of(number, position))
        if state.phase in (Phase.FINAL, Phase.VOID):
            for role, slots in model.state.slots.items():
                for position in range(len(slots)):
                    due = model.due(role, position, number)
                    yield View("Rounds", "claimable", (TASK, role, position, [number]), due)

    def _money_views(self) -> Iterator[View]:
        model, token = self.model, self.params.token
        for account in {*model.state.accounts, *self._accounts()}:
            yield View("Vault", "balanceOf", (token, account), model.balance(account))
        yield View("Vault", "liabilities", (token,), model.liabilities())
        yield View("TestToken", "balanceOf", (self.where.vault,), model.liabilities())
        for owner, amount in model.state.wallets.items():
            yield View("TestToken", "balanceOf", (owner,), amount)

    def _accounts(self) -> Iterator[Digest]:
        """The accounts that should exist, whether or not the model has touched them."""
        yield from (rules.BURNED, rules.escrow_account(TASK), rules.claims_account(TASK), rules.bond_account(TASK))
        for number in range(1, self.model.next_round()):
            yield rules.pot_account(TASK, number)
            yield from (rules.docket_account(TASK, number, which) for which in (1, 2))
        for role, slots in self.model.state.slots.items():
            yield from (rules.stake_account(TASK, role, position) for position in range(len(slots)))


def came_to(model: TaskModel) -> Counter[str]:
    """What a task came to, for tests that want to have seen it."""
    disputes = (dispute for docket in model.state.dockets.values() for dispute in docket.disputes)
    rounds = model.state.rounds
    slots = [slot for slots in model.state.slots.values() for slot in slots]
    found = Counter(f"{dispute.role.name} ruled {dispute.ruling.name}" for dispute in disputes)
    found["second vote"] += sum(state.attempt for state in rounds)
    found["cleared"] += sum(outcome.cleared.bit_count() for outcome in model.state.outcomes.values())
    found["accepted"] += sum(state.accepted.bit_count() for state in rounds)
    found["paid"] += sum(state.paid.bit_count() for state in rounds)
    found["version recorded"] += sum(state.version != ZERO_DIGEST for state in rounds)
    found["convicted"] += sum(slot.convicted for slot in slots)
    found["struck"] += sum(bool(slot.strikes) for slot in slots)
    return +found


def _shown(refusal: Exception | None) -> list[str]:
    """A refusal's name and those of its arguments that are words of ours."""
    if refusal is None:
        return ["accepted"]
    return [refusal.name, *(a for a in refusal.args_ if isinstance(a, str) and not a.startswith("0x"))]  # type: ignore[attr-defined]


def _words(value: Any) -> list[int]:
    if dataclasses.is_dataclass(value):
        return _words([getattr(value, field.name) for field in dataclasses.fields(value)])
    if isinstance(value, list | tuple):
        return [word for part in value for word in _words(part)]
    if isinstance(value, bytes):
        return [int.from_bytes(value, "big")]
    return [int(value, 16) if isinstance(value, str) else int(value)]


def _difference(view: View, found: list[int]) -> str:
    """Names what differs."""
    expected = _words(view.expected)
    record = dataclasses.is_dataclass(view.expected)
    names = [f.name for f in dataclasses.fields(view.expected)] if record else [str(i) for i in range(len(expected))]
    shown = [
        f"{name}: the model has {one:#x}, the contract {other:#x}"
        for name, one, other in zip(names, expected, found, strict=False)
        if one != other
    ]
    return f"{view.contract}.{view.function}{view.args}: " + "; ".join(shown or [f"{len(found)} words"])
