"""What a verifier does at each block: what it owes, the nearest deadline first, and collecting its fees."""

from __future__ import annotations

from collections.abc import Callable

from kizuna import draws, index_tree
from kizuna.chain import rules
from kizuna.chain.client import Pinned
from kizuna.chain.structs import RoundView, Slot, bits, positions
from kizuna.errors import ChainError, Reverted, StoreError, Unfunded
from kizuna.node.agent import Node
from kizuna.node.versions import SOFT
from kizuna.store import DAG_CBOR, Cid
from kizuna.types import ZERO_DIGEST, Digest, Finding, Mark, Phase, Role
from verifier.attest import why_not_held
from verifier.bench import RETRY_BLOCKS, Bench
from verifier.cases import Cases
from verifier.checks import Case
from verifier.duties import Duty, Kind, RoundState, duties
from verifier.evidence import Seat, asked_leaf
from verifier.examine import Examination, Examiner, lazy
from verifier.joining import own_trainers, secrets_of, take_seat
from verifier.jury import Rulings
from verifier.vote import Ballots, ballot_of, covered

MARGIN = 3
"""Blocks before a deadline at which work ends, so that the call still finds a block."""

_OUT_OF_TURN = ("Rounds_WrongPhase", "Court_WrongPhase")
"""The chain has moved on since the state was read."""


class Verifier:
    """One verifier seat. Secrets and salts follow from the key, what it hid is on disk, the rest is on the chain."""

    def __init__(self, node: Node, *, is_lazy: bool) -> None:
        self.node, self.is_lazy = node, is_lazy
        where = node.chain.deployment
        folder = node.options.state / f"{where.chain_id}-{where.rounds[2:10]}-{node.task}"
        self.ballots = Ballots(folder / "ballots")
        self.cases = Cases(node)
        self.bench = Bench(node, self.cases, Rulings(folder / "rulings"), is_lazy)
        self.position: int | None = None
        self._slot: Slot | None = None
        self._secrets: draws.SecretChain | None = None
        self._held: dict[int, dict[int, Finding | None]] = {}
        self._examiners: dict[int, Examiner] = {}
        self._look_again: dict[int, int] = {}  # block in which to ask again for what was not served, by round
        self._longest = 1  # blocks that one examination has taken
        self._settled = 0
        self._over: set[tuple[Kind, int, int, int]] = set()
        self._told: dict[tuple[Kind, int, int, int], str] = {}

    def step(self, chain: Pinned) -> bool:
        """See `Agent.step`."""
        node = self.node
        if self.position is None:
            self.position = take_seat(node, chain)
            return False
        if self._slot is None:
            self._slot = node.chain.slot(node.task, Role.VERIFIER, self.position)
            self._secrets = secrets_of(node, self._slot)
        settled = chain.settled_through(node.task)
        if settled > self._settled:
            self._settled = node.collect(chain, self.position, self._settled)
            self._forget(settled)
        if node.leave(chain, self.position):
            return True
        rounds = range(settled + 1, chain.next_round(node.task))
        states = [self._state(chain, round) for round in rounds]
        if not rounds and settled == node.params.rounds:
            states = [self._state(chain, settled)]  # its version may still be unreported
        windows = node.params.windows
        for duty in duties(states, self.position, block=chain.block.number, windows=windows):
            if node.stop.is_set():
                return False
            self._try(chain, duty)
        node.advance(chain, self.position)
        if rounds and states[-1].view.phase in SOFT and rounds[-1] < node.params.rounds:
            node.versions.base_of(chain, rounds[-1] + 1)  # ready when the next round is attested
        return False

    def _state(self, chain: Pinned, round: int) -> RoundState:
        task, params = self.node.task, self.node.params
        view = self._ahead(chain, round)
        contested = view.phase is Phase.CHALLENGE
        audit = view.audit if contested and view.audit != ZERO_DIGEST else None
        return RoundState(
            round=round,
            view=view,
            dockets=tuple(chain.docket(task, round, docket) for docket in (1, 2)) if contested else (),
            audit=audit,
            asked=None if audit is None else self._asked(round, view, audit),
            is_last=round == params.rounds,
        )

    def _ahead(self, chain: Pinned, round: int) -> RoundView:
        return chain.round_ahead(self.node.params, self.node.task, round)

    def _asked(self, round: int, view: RoundView, audit: Digest) -> int | None:
        """Which evidence leaf this seat must show of a round, if it is audited."""
        saved = self.ballots.load(round)
        if saved is None or not view.revealed >> self._place & 1:
            return None
        passes = len(rules.marked(saved[0].marks, Mark.PASS))
        return asked_leaf(self._seat(round, view), self.node.params, passes=passes, audit=audit)

    def _try(self, chain: Pinned, duty: Duty) -> None:
        """Does what can be done of a duty now. One that fails must not keep the others waiting."""
        key = (duty.kind, duty.round, duty.docket, duty.attempt)
        if key in self._over:
            return
        try:
            self._do(chain, duty)
            self._told.pop(key, None)
        except Unfunded:
            raise
        except (ChainError, StoreError) as error:
            if isinstance(error, Reverted):
                if error.name in _OUT_OF_TURN:
                    return
                self._over.add(key)  # asking again would not change the answer
            if self._told.get(key) != str(error):
                self.node.say(f"{duty.kind}: {error}", round=duty.round)
            self._told[key] = str(error)

    def _do(self, chain: Pinned, duty: Duty) -> None:
        assert self.position is not None
        work: dict[Kind, Callable[[], None]] = {
            Kind.ATTEST: lambda: self._attest(chain, duty),
            Kind.VOTE: lambda: self._vote(chain, duty),
            Kind.REVEAL: lambda: self._reveal(duty),
            Kind.EVIDENCE: lambda: self._show_evidence(chain, duty),
            Kind.JCOMMIT: lambda: self.bench.commit(chain, duty, self._place),
            Kind.JREVEAL: lambda: self.bench.reveal(duty),
            Kind.REPORT: lambda: self._report_head(chain, duty),
        }
        work[duty.kind]()

    @property
    def _place(self) -> int:
        assert self.position is not None
        return self.position

    def _forget(self, settled: int) -> None:
        self.cases.forget(settled)
        self.bench.forget(settled)
        for known in (self._held, self._examiners, self._look_again):
            for round in [round for round in known if round <= settled]:
                del known[round]
        self._over = {key for key in self._over if key[1] > settled or key[0] is Kind.REPORT}
        self._told = {key: text for key, text in self._told.items() if key[1] > settled}
        self.node.tidy(settled)

    def _left(self, duty: Duty) -> int:
        """Blocks that are left for work."""
        return duty.deadline - self.node.chain.block.number - MARGIN

    # --- attesting ---

    def _attest(self, chain: Pinned, duty: Duty) -> None:
        """Held is what the mirrors serve as it was committed. Waits for the rest until shortly before the end."""
        view = chain.round(self.node.task, duty.round)
        committed = positions(view.committed)
        faults = self._held.setdefault(duty.round, {})
        if self.is_lazy:
            faults.update(dict.fromkeys(committed))
        for slot in committed:
            if slot in faults and faults[slot] is None:
                continue
            if slot in faults and self._left(duty) <= 0:
                continue
            found = self.cases.of(chain, duty.round, slot)
            faults[slot] = why_not_held(found)
            self._keep(chain, duty.round, slot, found)
        missing = {slot: fault for slot, fault in faults.items() if fault is not None}
        if missing and self._left(duty) > 0:
            return
        for slot, fault in missing.items():
            self.node.say(f"slot {slot} is not held: {fault.reason}: {fault.detail}", round=duty.round)
        held = sorted(set(committed) - set(missing))
        self.node.chain.attest(self.node.task, duty.round, bits(held), deadline_block=duty.deadline)
        self.node.say(f"attested {held}", round=duty.round)

    def _keep(self, chain: Pinned, round: int, slot: int, found: Case | Finding) -> None:
        """What a dispute may still be about stays here until the round is settled."""
        if isinstance(found, Case):
            manifest = Cid(self.cases.roots(chain, round)[slot][0], DAG_CBOR)
            self.node.keep(round, manifest, *found.contents())

    # --- checking ---

    def _vote(self, chain: Pinned, duty: Duty) -> None:
        task = self.node.task
        saved = self.ballots.load(duty.round)
        if saved is None:
            found = self._examine(chain, duty)
            if found is None:
                return
            seat = self._seat(duty.round, self._ahead(chain, duty.round))
            ballot = ballot_of(
                found,
                secret=seat.secret,
                previous=self._previous_version(chain, duty.round),
                salt=self.node.secret("ballot", duty.round),
            )
            self.ballots.save(duty.round, ballot, found.leaves)
            saved = ballot, found.leaves
        ballot = saved[0]
        hidden = chain.ballot_hash(task, duty.round, self.node.account.address, ballot)
        self.node.chain.vote(task, duty.round, hidden, deadline_block=duty.deadline)
        passed, challenged = rules.marked(ballot.marks, Mark.PASS), rules.marked(ballot.marks, Mark.CHALLENGE)
        accused = f", challenges {list(challenged)}" if challenged else ""
        self.node.say(f"voted: passes {list(passed)}{accused}", round=duty.round)

    def _examine(self, chain: Pinned, duty: Duty) -> Examination | None:
        """Examines until the next block. The result once all is done or time is short, else None."""
        view = self._ahead(chain, duty.round)
        examiner = self._examiners.get(duty.round) or self._new_examiner(chain, duty.round, view)
        self._examiners[duty.round] = examiner
        if self.is_lazy:
            return lazy(examiner.seat, self.node.params, examiner.slots)
        again = chain.block.number >= self._look_again.get(duty.round, 0)
        waiting = list(examiner.unserved()) if again else []
        if waiting:
            self._look_again[duty.round] = chain.block.number + RETRY_BLOCKS
        while todo := [*examiner.todo(), *waiting]:
            slot, now = todo[0], self.node.chain.block.number
            if self._left(duty) <= self._longest:
                break
            if now > chain.block.number or self.node.stop.is_set():
                return None  # a new block may have brought something more urgent
            waiting = [other for other in waiting if other != slot]
            self._look(chain, duty.round, slot, examiner)
            self._longest = max(1, self._longest - 1, self.node.chain.block.number - now)
        is_open = examiner.todo() or examiner.unserved()
        if self.node.stop.is_set() or (is_open and self._left(duty) > self._longest):
            return None
        blame = not examiner.unserved() or self.cases.mirrors_answer()
        return self._covered(chain, examiner.result(blame_unserved=blame), duty.round)

    def _look(self, chain: Pinned, round: int, slot: int, examiner: Examiner) -> None:
        case = self.cases.of(chain, round, slot, endpoint=True)
        examiner.look(slot, case)
        if slot not in examiner.todo():
            self._keep(chain, round, slot, case)

    def _new_examiner(self, chain: Pinned, round: int, view: RoundView) -> Examiner:
        assert self._slot is not None
        own = own_trainers(self.node, chain, self._slot.owner)
        slots = tuple(slot for slot in positions(view.held) if slot not in own)
        seat = self._seat(round, view)
        return Examiner(seat, self.node.params, slots, lambda text: self.node.say(text, round=round))

    def _covered(self, chain: Pinned, found: Examination, round: int) -> Examination:
        """Leaves out what this seat cannot bond."""
        if not found.findings:
            return found
        node, params = self.node, self.node.params
        assert self._slot is not None
        purse = chain.free_of(params.token, self._slot.owner)
        spare = max(0, chain.stake_of(node.task, Role.VERIFIER, self._place) - params.money.verifier_slash)
        kept, dropped = covered(found, (purse + spare) // max(1, chain.bond_for(node.task, round)))
        if dropped:
            node.say(f"no bond left to challenge slots {list(dropped)}: deposit more", round=round)
        return kept

    def _reveal(self, duty: Duty) -> None:
        saved = self.ballots.load(duty.round)
        if saved is None:
            raise StoreError("the ballot of this round is not on this disk: it cannot be opened")
        self.node.chain.reveal(self.node.task, duty.round, saved[0], deadline_block=duty.deadline)
        self.node.say("revealed", round=duty.round)

    def _show_evidence(self, chain: Pinned, duty: Duty) -> None:
        key = (duty.kind, duty.round, duty.docket, duty.attempt)
        saved = self.ballots.load(duty.round)
        if saved is None:
            raise StoreError("the evidence of this round is not on this disk: it cannot be shown")
        ballot, leaves = saved
        view = self._ahead(chain, duty.round)
        index = None if view.audit == ZERO_DIGEST else self._asked(duty.round, view, view.audit)
        if index is None:
            return
        proof = index_tree.prove(leaves, index)
        self.node.chain.post_evidence(
            self.node.task, duty.round, ballot, leaves[index], proof, deadline_block=duty.deadline
        )
        self._over.add(key)
        self.node.say(f"audited: showed leaf {index} of {len(leaves)}", round=duty.round)

    # --- what others need to be known for ---

    def _report_head(self, chain: Pinned, duty: Duty) -> None:
        """After the last round nobody's ballot can report its version: this call does."""
        if not self.is_lazy:
            head = self.node.versions.base_of(chain, duty.round + 1).digest
            self.node.chain.report_head(self.node.task, head)
        self._over.add((duty.kind, duty.round, duty.docket, duty.attempt))

    def _previous_version(self, chain: Pinned, round: int) -> Digest:
        """What the round before made, by this node's own computation; 0, which is no report, where it cannot tell."""
        if round == 1:
            return ZERO_DIGEST
        try:
            return self.node.versions.base_of(chain, round).digest
        except StoreError as error:
            self.node.say(f"the version before is not reported: {error}", round=round)
            return ZERO_DIGEST

    def _seat(self, round: int, view: RoundView) -> Seat:
        assert self._secrets is not None and self._slot is not None
        secret = self._secrets.secret(round, active_from=self._slot.active_from)
        return Seat(
            task=self.node.task,
            round=round,
            position=self._place,
            operator=self.node.account.address,
            seal=view.seal,
            secret=Digest(secret),
        )
