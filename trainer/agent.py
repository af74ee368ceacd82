"""What a trainer does at each block: train and commit the open round, serve what was drawn, collect its pay."""

from __future__ import annotations

import re

from kizuna import draws
from kizuna.chain.client import Pinned
from kizuna.chain.structs import RoundView, TaskState
from kizuna.diloco.segments import RoundResult, TrainRound
from kizuna.durable import write_whole
from kizuna.errors import ConfigError, StoreError
from kizuna.node.agent import Node, Options
from kizuna.node.contribution import Manifest, publish
from kizuna.node.task_context import file_digest
from kizuna.node.versions import SOFT
from kizuna.rl.config import RoundConfig
from kizuna.rl.model import read_weights
from kizuna.store import DAG_CBOR, DAG_PB, Cid, FlatFs, dag
from kizuna.store.gateway import Gateway
from kizuna.store.mirror import Wanted, request_pull
from kizuna.types import ZERO_DIGEST, Digest, Phase, Role
from trainer.cheats import Cheat
from trainer.drafts import Drafts

COMMIT_MARGIN = 3
"""Blocks before the deadline below which a commitment is not worth the gas."""


class Trainer:
    """One trainer slot. Everything it knows can be rebuilt from chain, drafts and store."""

    def __init__(self, node: Node, cheat: Cheat) -> None:
        self.node, self.cheat = node, cheat
        self.gateway = serve(node.blocks, node.options)
        self.url = node.options.public_url or self.gateway.url
        self.drafts = Drafts(node.options.state / "drafts" / str(node.task), node.say)
        self.position: int | None = None
        self._manifests: dict[int, Manifest] = {}
        self._pushed: set[int] = set()
        self._missed: set[int] = set()
        self._paid_through = 0

    def close(self) -> None:
        self.gateway.close()

    def step(self, chain: Pinned) -> bool:
        """See `Agent.step`."""
        node = self.node
        if self.position is None:
            self.position = self._seat(chain)
            return False
        settled = chain.settled_through(node.task)
        if settled > self._paid_through:
            self._paid_through = node.collect(chain, self.position, self._paid_through)
            self._clean(settled)
        if node.leave(chain, self.position):
            return True
        opened = chain.next_round(node.task) - 1
        for round in range(settled + 1, opened + 1):
            self._push_drawn(chain, self.position, round)
        node.advance(chain, self.position)
        # Last, as it takes longest: a jury may be waiting for the boundaries of the round before.
        if opened:
            self._work(chain, self.position, opened)
        return False

    # --- joining ---

    def _seat(self, chain: Pinned) -> int:
        """This operator's position; takes one where there is none yet."""
        node = self.node
        position = node.position(chain)
        if position is None:
            if chain.state_of(node.task) not in (TaskState.LISTED, TaskState.RUNNING):
                raise ConfigError(f"task {node.task} is over and takes no more trainers")
            position = node.join(secret_tip=ZERO_DIGEST, endpoint=self.url)
            node.say(f"joined as trainer {position}, serving at {self.url}")
        elif chain.endpoints(node.task).get((Role.TRAINER, position)) != self.url:
            node.chain.announce(node.task, self.url)
        return position

    # --- a round ---

    def _work(self, chain: Pinned, position: int, round: int) -> None:
        view = chain.round_ahead(self.node.params, self.node.task, round)
        if view.phase in SOFT and round < self.node.params.rounds:
            self.node.versions.base_of(chain, round + 1)  # ready when the next round opens
        mine = view.trainers >> position & 1 and not view.committed >> position & 1
        if view.phase is not Phase.OPEN or not mine or round in self._missed:
            return
        self.node.versions.base_of(chain, round)  # may take longer than the seed does
        if view.seed == ZERO_DIGEST:
            return
        config, training = self._prepare(chain, round, position, view.seed)
        for record in training:
            self.drafts.save(config, record)
            self.node.say(f"segment {record.segment + 1} of {config.segments} trained", round=round)
            if self.node.stop.is_set() or self._gave_up(round, view):
                return  # what is trained is on disk
        result = training.result(numerics_id=self.node.params.numerics_id, digest_of=file_digest)
        manifest_digest, manifest = self._publish(config, result)
        if self._gave_up(round, view):
            return
        self.node.chain.commit(
            self.node.task,
            round,
            manifest_digest,
            manifest.receipt_root,
            manifest.leaf_root,
            deadline_block=view.phase_end,
        )
        reward = sum(receipt.reward for receipt in result.receipts) / len(result.receipts) / 1e6
        self.node.say(f"committed {manifest_digest.hex()[:16]}, mean reward {reward:.3f}", round=round)

    def _prepare(self, chain: Pinned, round: int, position: int, seed: Digest) -> tuple[RoundConfig, TrainRound]:
        """The round as far as it is on disk; iterating trains the rest."""
        context = self.node.context
        base = self.node.versions.base_of(chain, round)
        config = context.config(round=round, slot=position, base=base.digest, seed=seed)
        training = self.cheat.round_type(
            context.model,
            read_weights(context.genesis if self.cheat.stale else base.files),
            config=config,
            tokenizer=context.tokenizer,
            environment=context.environment,
            resume=self.drafts.load(config, context.model),
        )
        return config, training

    def _gave_up(self, round: int, view: RoundView) -> bool:
        """Gives the round up, and says so, if its deadline is too near."""
        left = view.phase_end - self.node.chain.block.number
        if left < COMMIT_MARGIN:
            self.node.say(f"too slow: {left} blocks before the deadline, nothing committed", round=round)
            self._missed.add(round)
        return left < COMMIT_MARGIN

    def _publish(self, config: RoundConfig, result: RoundResult) -> tuple[Digest, Manifest]:
        """Stores and pins everything, and pushes to every mirror what a pin of the manifest holds."""
        node, where = self.node, self.node.chain.deployment
        digest, manifest = publish(
            node.blocks,
            result,
            config,
            chain=where.chain_id,
            rounds=bytes.fromhex(where.rounds[2:]),
            numerics_id=node.params.numerics_id,
        )
        served = manifest.boundaries[-1:] if self.cheat.hides else manifest.boundaries
        node.keep(config.round, Cid(digest, DAG_CBOR), *(Cid(boundary, DAG_PB) for boundary in served))
        self._push(config.round, [Cid(digest, DAG_CBOR), Cid(manifest.boundaries[-1], DAG_PB)])
        self._manifests[config.round] = manifest
        if self.cheat.hides:
            self._hide(manifest)
        return digest, manifest

    def _push(self, round: int, cids: list[Cid]) -> None:
        """Raises StoreError where no mirror took it: what nobody holds must not be committed."""
        node, held = self.node, 0
        for url in node.mirrors:
            try:
                state = request_pull(
                    url,
                    node.account,
                    cids=[Wanted(cid) for cid in cids],
                    source=self.url,
                    label=f"task/{node.task}/round/{round}",
                )
                held += state.done and not state.failed
            except StoreError as error:
                node.say(f"mirror {url}: {error}", round=round)
        if not held:
            raise StoreError(f"no mirror of {len(node.mirrors)} holds round {round}: is one running?")

    def _push_drawn(self, chain: Pinned, position: int, round: int) -> None:
        """When the reveals have closed: the boundaries that checkers drew go to the mirrors, for the jury."""
        if round in self._pushed or self.cheat.hides:
            return
        view = chain.round(self.node.task, round)
        if view.phase not in SOFT:
            return
        manifest = self._manifest(chain, round, position) if view.held >> position & 1 else None
        if manifest is not None:
            drawn = drawn_boundaries(chain, self.node.task, round, position, view, self.node)
            if drawn:
                self._push(round, [Cid(manifest.boundaries[j], DAG_PB) for j in drawn])
                self.node.say(f"boundaries {list(drawn)} are on the mirrors", round=round)
        self._pushed.add(round)

    def _manifest(self, chain: Pinned, round: int, position: int) -> Manifest | None:
        """What this slot committed in a round, also when an earlier run of this process did."""
        if round not in self._manifests:
            digest = chain.commitments(self.node.task, round)[position][0]
            block = self.node.blocks.get(Cid(digest, DAG_CBOR))
            if block is None:
                self.node.say(f"{digest.hex()[:16]} is not on this disk and cannot be served", round=round)
                return None
            self._manifests[round] = Manifest.decode(block)
        return self._manifests[round]

    def _clean(self, settled: int) -> None:
        """What belongs to settled rounds need not be served any more."""
        self._manifests = {round: manifest for round, manifest in self._manifests.items() if round > settled}
        self._pushed = {round for round in self._pushed if round > settled}
        self._missed = {round for round in self._missed if round > settled}
        self.drafts.forget_before(settled + 1)
        self.node.tidy(settled)

    def _hide(self, manifest: Manifest) -> None:
        for boundary in manifest.boundaries[:-1]:
            for cid, _ in list(dag.walk(self.node.blocks, Cid(boundary, DAG_PB))):
                self.node.blocks.delete(cid)


def serve(blocks: FlatFs, options: Options) -> Gateway:
    """Serves on the port asked for; left open, on that of the last run, so that the URL on chain stays true."""
    host, port = options.listen
    memory = options.state / "port"
    if port:
        return _listening(blocks, host, port)
    last = memory.read_text(errors="replace") if memory.exists() else ""
    try:
        gateway = Gateway(blocks, host=host, port=int(last) if re.fullmatch("[0-9]{1,5}", last) else 0)
    except (OSError, OverflowError):  # somebody else has it by now
        gateway = _listening(blocks, host, 0)
    write_whole(memory, str(gateway.port).encode())
    return gateway


def _listening(blocks: FlatFs, host: str, port: int) -> Gateway:
    try:
        return Gateway(blocks, host=host, port=port)
    except OSError as error:
        raise ConfigError(f"--listen {host}:{port}: {error.strerror}: choose another, or port 0 for any") from None


def drawn_boundaries(
    chain: Pinned, task: int, round: int, position: int, view: RoundView, node: Node
) -> tuple[int, ...]:
    """Boundaries next to the segments that the revealed secrets drew of this slot."""
    params, found = node.params, set()
    for seat, ballot in chain.ballots(task, round).items():
        for segment in draws.segments(
            params.segments,
            params.segments_per_checker,
            task=task,
            round=round,
            seal=view.seal,
            secret=ballot.secret,
            seat=seat,
            slot=position,
        ):
            found |= {segment, segment + 1}
    return tuple(sorted(found))
