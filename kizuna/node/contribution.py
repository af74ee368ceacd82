"""A contribution as it travels: manifest, receipts, leaves, rollouts, update (docs/protocol.md, section 5).

Reading one is a matter of distrust: limits before bytes, hashes before fields, and what is wrong comes back as a
`Finding`, since a peer that sends rubbish is an ordinary event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from kizuna import index_tree
from kizuna.chain.history import Roots
from kizuna.diloco.segments import RoundResult
from kizuna.errors import ContentMalformed, ContentMissing, LimitExceeded
from kizuna.node.task_context import TaskContext
from kizuna.rl.config import RoundConfig
from kizuna.rl.rollouts import Group, decode_rollouts
from kizuna.rl.state import FILES, Boundary
from kizuna.shardcast import update as updates
from kizuna.store import DAG_CBOR, DAG_PB, Blocks, Cid, Fetcher, Limits, dagcbor, unixfs
from kizuna.toploc.proofs import CHUNK_ROWS, PROOF_BYTES
from kizuna.toploc.receipts import (
    LEAF_BYTES,
    RECEIPT_BYTES,
    Leaf,
    Receipt,
    read_leaves,
    read_receipts,
    write_leaves,
    write_receipts,
)
from kizuna.types import Check, Digest, Finding, Reason

MAX_MANIFEST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The record a commitment names. Boundaries stand as digests, not links: a pin must not drag them in."""

    chain: int
    rounds: bytes
    task: int
    round: int
    slot: int
    base: Digest
    numerics_id: Digest
    receipt_root: Digest
    leaf_root: Digest
    receipt_count: int
    boundaries: tuple[Digest, ...]
    receipts: Cid
    leaves: Cid
    rollouts: Cid
    update: Cid

    def encode(self) -> bytes:
        """Canonical DAG-CBOR."""
        names = {field.name: _camel(field.name) for field in fields(self)}
        record = {names[name]: getattr(self, name) for name in names}
        return dagcbor.encode({"v": 1, "kind": "contribution", **record, "boundaries": list(self.boundaries)})

    @classmethod
    def decode(cls, data: bytes) -> Manifest:
        """The inverse of `encode`. Raises ContentMalformed, LimitExceeded."""
        record = dagcbor.decode(data, max_bytes=MAX_MANIFEST_BYTES)
        names = {_camel(field.name): field.name for field in fields(cls)}
        if not isinstance(record, dict) or set(record) != {"v", "kind", *names}:
            raise ContentMalformed("manifest: fields are missing or unknown")
        if record["v"] != 1 or record["kind"] != "contribution":
            raise ContentMalformed("manifest: not a contribution of version 1")
        values = {names[name]: value for name, value in record.items() if name in names}
        for name, value in values.items():
            _check_field(name, value)
        return cls(**{**values, "boundaries": tuple(values["boundaries"])})


@dataclass(frozen=True, slots=True)
class Contribution:
    """A contribution whose structure holds: every count, index and root is what was committed."""

    manifest: Manifest
    receipts: tuple[Receipt, ...]
    leaves: tuple[Leaf, ...]
    groups: tuple[Group, ...]
    update: updates.Update


def publish(
    blocks: Blocks, result: RoundResult, config: RoundConfig, *, chain: int, rounds: bytes, numerics_id: bytes
) -> tuple[Digest, Manifest]:
    """Stores everything a contribution lists, its boundaries included; the digest to commit, and the manifest."""
    boundaries = [unixfs.add_directory(blocks, boundary.files()).digest for boundary in result.boundaries]
    manifest = Manifest(
        chain=chain,
        rounds=rounds,
        task=config.task,
        round=config.round,
        slot=config.slot,
        base=Digest(config.base),
        numerics_id=Digest(numerics_id),
        receipt_root=Digest(index_tree.root([receipt.encode() for receipt in result.receipts])),
        leaf_root=Digest(index_tree.root([leaf.encode() for leaf in result.leaves])),
        receipt_count=len(result.receipts),
        boundaries=tuple(Digest(digest) for digest in boundaries),
        receipts=unixfs.add_bytes(blocks, write_receipts(result.receipts)),
        leaves=unixfs.add_bytes(blocks, write_leaves(result.leaves)),
        rollouts=unixfs.add_bytes(blocks, result.rollouts),
        update=unixfs.add_bytes(blocks, result.update),
    )
    encoded = manifest.encode()
    cid = Cid.of(encoded, DAG_CBOR)
    blocks.put(cid, encoded)
    return Digest(cid.digest), manifest


def limits_of(context: TaskContext) -> Limits:
    """The most that an honest contribution of this task can weigh, boundaries not included."""
    inner, environment = context.spec.inner, context.spec.environment
    receipts = inner.steps * inner.prompts * inner.completions
    tokens = receipts * environment.max_new_tokens
    # int8 and one exponent a block for the update; id and log-probability a token and a proof a chunk for the rollouts.
    payload = receipts * RECEIPT_BYTES + (inner.segments + 1) * LEAF_BYTES
    payload += tokens * 8 + (tokens // CHUNK_ROWS + receipts) * PROOF_BYTES
    return Limits(max_bytes=2 * (payload + context.parameter_bytes // 3) + (1 << 20))


def boundary_limits(context: TaskContext) -> Limits:
    """The most that a boundary's directory can weigh."""
    return Limits(max_bytes=3 * context.parameter_bytes + (4 << 20))


def fetch(
    context: TaskContext,
    blocks: Blocks,
    fetcher: Fetcher,
    roots: Roots,
    config: RoundConfig,
    *,
    chain: int,
    rounds: bytes,
) -> Contribution | Finding:
    """The contribution behind a commitment, or the fault that makes it unacceptable as a whole.

    AVAILABLE where bytes are not served, UPDATE where they are not what they must be. What is wrong with this machine,
    such as a full disk, is nobody's fault: raises StoreError.
    """
    try:
        fetcher.fetch_dag(Cid(roots[0], DAG_CBOR), limits_of(context))
    except (ContentMalformed, LimitExceeded) as error:
        return _wrong(_reason(error), str(error))
    except ContentMissing as error:
        return Finding(Check.AVAILABLE, config.segments, Reason.UNAVAILABLE, str(error))
    try:
        manifest = Manifest.decode(fetcher.fetch_block(Cid(roots[0], DAG_CBOR)))
    except (ContentMalformed, LimitExceeded) as error:
        return _wrong(_reason(error), str(error))
    if fault := _context_fault(manifest, context, roots, config, chain=chain, rounds=rounds):
        return fault
    return read(context, blocks, manifest, config)


def read(context: TaskContext, blocks: Blocks, manifest: Manifest, config: RoundConfig) -> Contribution | Finding:
    """The files of a manifest that is held, checked against its roots and counts."""
    limit = limits_of(context).max_bytes
    expected = config.segments * config.rollouts_per_segment
    try:
        receipts = read_receipts(unixfs.read(blocks, manifest.receipts, max_bytes=limit), expected)
        leaves = read_leaves(unixfs.read(blocks, manifest.leaves, max_bytes=limit), config.segments + 1)
        if len(receipts) != expected or len(leaves) != config.segments + 1 or manifest.receipt_count != expected:
            return _wrong(Reason.WRONG_COUNT, f"{len(receipts)} receipts, {len(leaves)} leaves")
        if index_tree.root([receipt.encode() for receipt in receipts]) != manifest.receipt_root:
            return _wrong(Reason.WRONG_ROOT, "receipts")
        if index_tree.root([leaf.encode() for leaf in leaves]) != manifest.leaf_root:
            return _wrong(Reason.WRONG_ROOT, "leaves")
        rollouts = unixfs.read(blocks, manifest.rollouts, max_bytes=limit)
        groups = decode_rollouts(rollouts, receipts, config, vocab=context.model.vocab_size)
        update = updates.loads(unixfs.read(blocks, manifest.update, max_bytes=limit), context.shapes)
    except (ContentMalformed, LimitExceeded) as error:
        return _wrong(Reason.MALFORMED, str(error))
    return Contribution(manifest, tuple(receipts), tuple(leaves), tuple(groups), update)


def fetch_boundary(
    context: TaskContext, blocks: Blocks, fetcher: Fetcher, leaf: Leaf, directory: Digest
) -> Boundary | Finding:
    """A boundary whose three files hash to what its leaf says. AVAILABLE where it is not served as committed.

    Raises StoreError for what is wrong with this machine.
    """
    try:
        fetcher.fetch_dag(Cid(directory, DAG_PB), boundary_limits(context))
        entries = {entry.name: entry.cid for entry in unixfs.ls(blocks, Cid(directory, DAG_PB))}
        digests = tuple(entries[name].digest if name in entries else None for name in FILES)
        if digests != (leaf.weights, leaf.exp_avg, leaf.exp_avg_sq):
            detail = f"boundary {leaf.j} is not what its leaf commits to"
            return Finding(Check.AVAILABLE, leaf.j, Reason.WRONG_HASH, detail)
        limit = boundary_limits(context).max_bytes
        files = {name: unixfs.read(blocks, entries[name], max_bytes=limit) for name in FILES}
        return Boundary.from_files(files, context.shapes)
    except ContentMissing as error:
        return Finding(Check.AVAILABLE, leaf.j, Reason.UNAVAILABLE, f"boundary {leaf.j}: {error}")
    except (ContentMalformed, LimitExceeded) as error:
        return Finding(Check.AVAILABLE, leaf.j, _reason(error), f"boundary {leaf.j}: {error}")


def group_receipts(contribution: Contribution, group: int, config: RoundConfig) -> Sequence[Receipt]:
    """The receipts of one group, in order."""
    first = group * config.completions
    return contribution.receipts[first : first + config.completions]


def _context_fault(
    manifest: Manifest, context: TaskContext, roots: Roots, config: RoundConfig, *, chain: int, rounds: bytes
) -> Finding | None:
    where = (manifest.chain, manifest.rounds, manifest.task, manifest.round, manifest.slot)
    if where != (chain, rounds, config.task, config.round, config.slot):
        return _wrong(Reason.WRONG_CONTEXT, "manifest")
    if manifest.base != config.base:
        return _wrong(Reason.WRONG_BASE, f"{manifest.base.hex()[:16]} instead of {config.base.hex()[:16]}")
    if manifest.numerics_id != context.params.numerics_id:
        return _wrong(Reason.WRONG_CONTEXT, "numerics class")
    if (manifest.receipt_root, manifest.leaf_root) != roots[1:]:
        return _wrong(Reason.WRONG_ROOT, "the manifest repeats other roots than were committed")
    if len(manifest.boundaries) != config.segments + 1:
        return _wrong(Reason.WRONG_COUNT, f"{len(manifest.boundaries)} boundaries")
    return None


def _reason(error: ContentMalformed | LimitExceeded) -> Reason:
    return Reason.TOO_LARGE if isinstance(error, LimitExceeded) else Reason.MALFORMED


def _wrong(reason: Reason, detail: str) -> Finding:
    return Finding(Check.UPDATE, 0, reason, detail)


def _check_field(name: str, value: object) -> None:
    kind = Manifest.__annotations__[name]
    if kind == "int":
        fine = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 64
    elif kind == "Cid":
        fine = isinstance(value, Cid)
    elif name == "boundaries":
        fine = isinstance(value, list) and all(isinstance(item, bytes) and len(item) == 32 for item in value)
    else:
        fine = isinstance(value, bytes) and len(value) == (20 if name == "rounds" else 32)
    if not fine:
        raise ContentMalformed(f"manifest: {_camel(name)} is of the wrong kind")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
