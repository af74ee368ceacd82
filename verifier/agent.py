"""What a verifier does at each block, round by round: attest, vote, reveal, show evidence, judge, collect its fees."""

from __future__ import annotations

import json
from pathlib import Path

from kizuna import draws, index_tree
from kizuna.chain import rules
from kizuna.chain.client import Pinned
from kizuna.chain.structs import Dispute, DocketView, RoundView, TaskState, bits, positions
from kizuna.errors import ContentMalformed
from kizuna.node.agent import Node
from kizuna.node.contribution import fetch
from kizuna.store import Fetcher
from kizuna.types import ZERO_DIGEST, Digest, DocketPhase, Finding, Phase, Role, Ruling
from verifier.checks import Case
from verifier.evidence import Seat
from verifier.examine import Ballots, Examination, ballot_of, examine, lazy
from verifier.jury import Opinion, audit_opinion, judge, may_sit

MARGIN = 2
"""Blocks before a deadline at which waiting for bytes ends."""

SPARE_SECRETS = 8


class Verifier:
    """One verifier seat. Secrets and salts follow from the key, ballots are on disk, the rest is on the chain."""

    def __init__(self, node: Node, *, is_lazy: bool) -> None:
        self.node, self.lazy = node, is_lazy
        self.position: int | None = None
        self.ballots = Ballots(node.options.state / "ballots" / str(node.task))
        self._secrets: draws.SecretChain | None = None
        self._active_from = 0
        self._paid_through = 0
        self._reported = False
        self._judged: dict[tuple[int, int], tuple[list[Ruling], list[Digest]]] = {}

    def step(self, chain: Pinned) -> bool:
        """See `Agent.step`."""
        node = self.node
        if self.position is None:
            self.position = self._seat(chain)
            return False
        settled = chain.settled_through(node.task)
        if settled > self._paid_through:
            self._paid_through = node.collect(chain, self.position, self._paid_through)
        if node.leave(chain, self.position):
            return True
        opened = chain.next_round(node.task) - 1
        for round in range(opened, settled, -1):  # the newest has the nearest deadlines
            self._serve(chain, self.position, round)
        self._report_head(chain, self.position, opened)
        node.advance(chain, self.position)
        return False

    # --- joining ---

    def _seat(self, chain: Pinned) -> int | None:
        node = self.node
        position = node.position(chain)
        if position is None:
            if chain.state_of(node.task) not in (TaskState.LISTED, TaskState.RUNNING):
                node.say("the task takes no more verifiers")
                node.stop.set()
                return None
            money = node.params.money
            bonds = rules.bond(money, verifiers=node.params.verifier_seats) * 3
            first = chain.next_round(node.task)
            position = node.join(secret_tip=self._chain_from(first).tip, extra_wei=self._affordable(chain, bonds))
            node.say(f"joined as verifier {position}")
        self._active_from = node.chain.slot(node.task, Role.VERIFIER, position).active_from
        self._secrets = self._chain_from(self._active_from)
        return position

    def _affordable(self, chain: Pinned, wanted: int) -> int:
        """As much of the bonds for challenges as the account can deposit beside its stake."""
        token, stake = self.node.params.token, self.node.params.money.verifier_stake
        owned = chain.token_balance(token, self.node.account.address) + chain.free_of(token, self.node.account.address)
        return max(0, min(wanted, owned - stake))

    def _chain_from(self, first: int) -> draws.SecretChain:
        length = self.node.params.rounds + SPARE_SECRETS
        return draws.SecretChain(self.node.secret("secrets", first), length)

    # --- a round ---

    def _serve(self, chain: Pinned, position: int, round: int) -> None:
        view = chain.round(self.node.task, round)
        if not view.verifiers >> position & 1:
            return
        if view.phase is Phase.ATTEST and view.attesters & ~view.attested & 1 << position:
            self._attest(chain, round, view)
        elif view.phase is Phase.VOTE and view.checkers & ~view.voted & 1 << position:
            self._vote(chain, position, round, view)
        elif view.phase is Phase.REVEAL and view.voted & ~view.revealed & 1 << position:
            self._reveal(round, view)
        elif view.phase is Phase.CHALLENGE:
            self._show_evidence(chain, position, round, view)
            for docket in (1, 2):
                self._sit(chain, position, round, docket)

    def _attest(self, chain: Pinned, round: int, view: RoundView) -> None:
        """Held is what the mirrors serve whole and as committed. Waits for the rest until shortly before the end."""
        committed = positions(view.committed)
        if self.lazy:
            held = set(committed)
        else:
            found = {slot: self._case(chain, round, slot, self.node.fetcher) for slot in committed}
            held = {slot for slot, case in found.items() if isinstance(case, Case)}
            if len(held) < len(committed) and chain.block.number < view.phase_end - MARGIN:
                return
            for slot in set(committed) - held:
                fault = found[slot]
                self.node.say(f"slot {slot} is not held: {getattr(fault, 'detail', '')}", round=round)
        self.node.chain.attest(self.node.task, round, bits(sorted(held)), deadline_block=view.phase_end)
        self.node.say(f"attested {sorted(held)}", round=round)

    def _vote(self, chain: Pinned, position: int, round: int, view: RoundView) -> None:
        saved = self.ballots.load(round)
        if saved is None:
            seat = self._seat_of(position, round, view)
            found = self._examine(chain, seat, view)
            ballot = ballot_of(
                found,
                secret=seat.secret,
                previous=self._previous_version(chain, round),
                salt=self.node.secret("ballot", round),
            )
            self.ballots.save(round, ballot, found.leaves)
            saved = ballot, found.leaves
        ballot = saved[0]
        hidden = chain.ballot_hash(self.node.task, round, self.node.account.address, ballot)
        self.node.chain.vote(self.node.task, round, hidden, deadline_block=view.phase_end)
        challenged = [challenge.slot for challenge in ballot.challenges]
        self.node.say(f"voted{f', challenging {challenged}' if challenged else ''}", round=round)

    def _examine(self, chain: Pinned, seat: Seat, view: RoundView) -> Examination:
        node = self.node
        convicted = chain.convicted(node.task, Role.TRAINER)
        own = self._own_trainers(chain)
        slots = tuple(slot for slot in positions(view.held & ~convicted) if slot not in own)
        if self.lazy:
            return lazy(seat, node.params, slots)
        urls = [url for (role, _), url in chain.endpoints(node.task).items() if role is Role.TRAINER]
        fetcher = node.fetcher_with(*urls)
        found = examine(
            seat,
            node.params,
            slots,
            lambda slot: self._case(chain, seat.round, slot, fetcher),
            say=lambda text: node.say(text, round=seat.round),
        )
        return self._what_bonds_cover(chain, found, seat.round)

    def _what_bonds_cover(self, chain: Pinned, found: Examination, round: int) -> Examination:
        """A challenge that cannot be bonded is left out, mark and all."""
        node, money = self.node, self.node.params.money
        assert self.position is not None
        purse = chain.free_of(node.params.token, node.account.address)
        spare = max(0, chain.stake_of(node.task, Role.VERIFIER, self.position) - money.verifier_slash)
        affordable = (purse + spare) // max(1, chain.bond_for(node.task, round))
        kept = dict(sorted(found.findings.items())[:affordable])
        dropped = set(found.findings) - set(kept)
        if dropped:
            node.say(f"no bond left to challenge slots {sorted(dropped)}: deposit more", round=round)
        marks = {slot: mark for slot, mark in found.marks.items() if slot not in dropped}
        return Examination(marks, kept, found.leaves)

    def _reveal(self, round: int, view: RoundView) -> None:
        saved = self.ballots.load(round)
        if saved is None:
            self.node.say("the ballot of this round is not on this disk: it cannot be opened", round=round)
            return
        self.node.chain.reveal(self.node.task, round, saved[0], deadline_block=view.phase_end)
        self.node.say("revealed", round=round)

    def _show_evidence(self, chain: Pinned, position: int, round: int, view: RoundView) -> None:
        mine = view.revealed >> position & 1 and view.audit != ZERO_DIGEST
        if not mine or chain.block.number > view.phase_end or position in chain.evidence(self.node.task, round):
            return
        audited, index, _ = chain.audit_of(self.node.task, round, position)
        saved = self.ballots.load(round)
        if not audited or saved is None:
            return
        leaves = saved[1]
        proof = index_tree.prove(leaves, index)
        self.node.chain.post_evidence(self.node.task, round, leaves[index], proof, deadline_block=view.phase_end)
        self.node.say(f"audited: showed leaf {index} of {len(leaves)}", round=round)

    # --- juries ---

    def _sit(self, chain: Pinned, position: int, round: int, docket: int) -> None:
        view = chain.docket(self.node.task, round, docket)
        if not view.jurors >> position & 1:
            return
        if view.phase is DocketPhase.JCOMMIT and not view.committed >> position & 1:
            self._commit_rulings(chain, position, round, docket, view)
        elif view.phase is DocketPhase.JREVEAL and view.committed & ~view.revealed & 1 << position:
            rulings, results = self._rulings(round, docket)
            self.node.chain.jreveal(
                self.node.task,
                round,
                docket,
                rulings=rulings,
                results=results,
                salt=self.node.secret("jury", round, docket),
                deadline_block=view.phase_end,
            )

    def _commit_rulings(self, chain: Pinned, position: int, round: int, docket: int, view: DocketView) -> None:
        disputes = chain.disputes(self.node.task, round, docket)
        opinions = [
            self._opinion(chain, round, dispute) if may_sit(dispute, position) else Opinion(Ruling.NONE, ZERO_DIGEST)
            for dispute in disputes
        ]
        if any(opinion.waiting for opinion in opinions) and chain.block.number < view.phase_end - 3 * MARGIN:
            return  # what is not served yet may still come
        rulings, results = [o.ruling for o in opinions], [o.result for o in opinions]
        self._keep_rulings(round, docket, rulings, results)
        hidden = chain.juror_hash(
            self.node.task,
            round,
            docket,
            self.node.account.address,
            rulings=rulings,
            results=results,
            salt=self.node.secret("jury", round, docket),
        )
        self.node.chain.jcommit(self.node.task, round, docket, hidden, deadline_block=view.phase_end)
        names = ", ".join(f"{d.role.name.lower()} {d.accused} {r.name}" for d, r in zip(disputes, rulings, strict=True))
        self.node.say(f"docket {docket}: {names}", round=round)

    def _opinion(self, chain: Pinned, round: int, dispute: Dispute) -> Opinion:
        if self.lazy:
            return Opinion(Ruling.CLEAN, ZERO_DIGEST)

        def case_of(slot: int) -> Case | Finding:
            return self._case(chain, round, slot, self.node.fetcher)

        return judge(
            dispute,
            case_of,
            audit=lambda d: audit_opinion(d, chain, self.node.params, case_of, task=self.node.task, round=round),
        )

    def _keep_rulings(self, round: int, docket: int, rulings: list[Ruling], results: list[Digest]) -> None:
        self._judged[round, docket] = rulings, results
        record = {"rulings": [int(r) for r in rulings], "results": ["0x" + r.hex() for r in results]}
        path = self._rulings_path(round, docket)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(record))
        partial.rename(path)

    def _rulings(self, round: int, docket: int) -> tuple[list[Ruling], list[Digest]]:
        if (round, docket) not in self._judged:
            record = json.loads(self._rulings_path(round, docket).read_text())
            results = [Digest(bytes.fromhex(text[2:])) for text in record["results"]]
            self._judged[round, docket] = [Ruling(r) for r in record["rulings"]], results
        return self._judged[round, docket]

    def _rulings_path(self, round: int, docket: int) -> Path:
        return self.node.options.state / "rulings" / str(self.node.task) / f"{round}-{docket}.json"

    # --- what others need to be known for ---

    def _report_head(self, chain: Pinned, position: int, opened: int) -> None:
        """After the last round nobody's ballot can report its version: this call does."""
        node = self.node
        if opened != node.params.rounds or opened == 0 or self.lazy:
            return
        view = chain.round(node.task, opened)
        soft = view.phase in (Phase.CHALLENGE, Phase.FINAL, Phase.VOID)
        if soft and view.version == ZERO_DIGEST and view.verifiers >> position & 1 and not self._reported:
            node.chain.report_head(node.task, node.versions.base_of(chain, opened + 1).digest)
            self._reported = True

    def _previous_version(self, chain: Pinned, round: int) -> Digest:
        if round == 1:
            return ZERO_DIGEST
        return self.node.versions.base_of(chain, round).digest

    def _seat_of(self, position: int, round: int, view: RoundView) -> Seat:
        assert self._secrets is not None
        return Seat(
            task=self.node.task,
            round=round,
            position=position,
            operator=self.node.account.address,
            seal=view.seal,
            secret=Digest(self._secrets.secret(round, active_from=self._active_from)),
        )

    def _own_trainers(self, chain: Pinned) -> set[int]:
        slots = chain.slots(self.node.task, Role.TRAINER)
        return {p for p, slot in enumerate(slots) if slot.owner == str(self.node.account.address)}

    def _case(self, chain: Pinned, round: int, slot: int, fetcher: Fetcher) -> Case | Finding:
        """A slot's contribution with its base, or the fault that it has as a whole."""
        node = self.node
        base = node.versions.base_of(chain, round)
        seed = chain.round(node.task, round).seed
        if seed == ZERO_DIGEST:
            raise ContentMalformed(f"round {round} has no seed yet")
        config = node.context.config(round=round, slot=slot, base=base.digest, seed=seed)
        roots = chain.commitments(node.task, round)[slot]
        where = chain.deployment
        found = fetch(
            node.context,
            node.blocks,
            fetcher,
            roots,
            config,
            chain=where.chain_id,
            rounds=bytes.fromhex(where.rounds[2:]),
        )
        if isinstance(found, Finding):
            return found
        return Case(node.context, config, found, base, node.blocks, fetcher)
