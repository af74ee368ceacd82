"""Bytes that a trainer commits to and no honest one makes: each is refused by name, by checker and juror alike.

Everything around the bad bytes fits them (manifest, roots, hashes), so that it is they alone that are found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from support.cases import CHAIN, ROUNDS, RULES, SEAT, case_of, honest, published, with_boundaries
from support.training import context, genesis

from kizuna import tensors
from kizuna.chain.structs import Dispute
from kizuna.diloco.segments import RoundResult
from kizuna.hashing import keccak
from kizuna.node.contribution import MAX_MANIFEST_BYTES, Contribution, Manifest, fetch
from kizuna.node.task_context import MAX_GENESIS, file_digest
from kizuna.node.versions import Version
from kizuna.rl.rollouts import encode_rollouts
from kizuna.rl.state import FILES, Boundary
from kizuna.store import DAG_CBOR, Cid, Fetcher, MemoryBlocks, dagcbor, unixfs
from kizuna.toploc.receipts import write_leaves, write_receipts
from kizuna.types import ZERO_DIGEST, Check, Digest, Finding, Mark, Reason, Role, Ruling
from verifier.attest import why_not_held
from verifier.checks import Case, check_encode, check_rollout, check_segment
from verifier.examine import Examiner
from verifier.jury import judge

Change = Callable[[bytes], bytes]


def read_back(blocks: MemoryBlocks, digest: Digest, manifest: Manifest) -> Case | Finding:
    """What a verifier makes of a commitment to these."""
    roots = (digest, manifest.receipt_root, manifest.leaf_root)
    fetcher = Fetcher(blocks, (), MAX_GENESIS)
    found = fetch(context(), blocks, fetcher, roots, RULES, chain=CHAIN, rounds=ROUNDS)
    if not isinstance(found, Contribution):
        return found
    return Case(context(), RULES, found, Version(0, context().params.genesis, genesis()), blocks, fetcher)


def with_file(name: str, change: Change) -> Case | Finding:
    """The honest contribution with one of its files changed."""
    blocks = MemoryBlocks()
    _, manifest = published(honest(), blocks)
    data = unixfs.read(blocks, getattr(manifest, name), max_bytes=1 << 30)
    return with_manifest(replace(manifest, **{name: unixfs.add_bytes(blocks, change(data))}), blocks)


def with_manifest(manifest: Manifest, blocks: MemoryBlocks) -> Case | Finding:
    encoded = manifest.encode()
    cid = Cid.of(encoded, DAG_CBOR)
    blocks.put(cid, encoded)
    return read_back(blocks, Digest(cid.digest), manifest)


def with_raw_manifest(change: Callable[[bytes], bytes]) -> Case | Finding:
    """The honest contribution behind a block that is no manifest."""
    blocks = MemoryBlocks()
    digest, manifest = published(honest(), blocks)
    raw = change(blocks.get(Cid(digest, DAG_CBOR)) or b"")
    cid = Cid.of(raw, DAG_CBOR)
    blocks.put(cid, raw)
    return read_back(blocks, Digest(cid.digest), manifest)


def refused(found: Case | Finding) -> tuple[Check, Reason]:
    """The fault that everybody finds: checker, attester and juror take the same view of it."""
    assert isinstance(found, Finding), "taken for a contribution"
    examiner = Examiner(SEAT, context().params, (0,), lambda text: None)
    examiner.look(0, found)
    examination = examiner.result()
    assert examination.marks == {0: Mark.CHALLENGE} and examination.findings == {0: found} and not examination.leaves
    assert judge(dispute(found.check, found.item), found).ruling is Ruling.GUILTY_GROSS
    return found.check, found.reason


def dispute(check: Check, item: int) -> Dispute:
    return Dispute(
        role=Role.TRAINER,
        accused=0,
        check=check,
        item=item,
        challengers=1,
        first_challenger=0,
        ruling=Ruling.NONE,
        measured=ZERO_DIGEST,
    )


def record(change: Callable[[dict[str, object]], None]) -> Change:
    """Changes the manifest's fields, whatever they become."""

    def apply(data: bytes) -> bytes:
        fields = dagcbor.decode(data)
        assert isinstance(fields, dict)
        change(fields)
        return dagcbor.encode(fields)

    return apply


def put(name: str, value: object) -> Change:
    return record(lambda fields: fields.update({name: value}))


MALFORMED, TOO_LARGE = Reason.MALFORMED, Reason.TOO_LARGE
WRONG_COUNT, WRONG_ROOT, WRONG_CONTEXT = Reason.WRONG_COUNT, Reason.WRONG_ROOT, Reason.WRONG_CONTEXT


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: b"", MALFORMED),
        (lambda data: data[:-1], MALFORMED),
        (lambda data: data + b"\x00", MALFORMED),
        (lambda data: b"\xff" * 64, MALFORMED),
        (lambda data: b"\x9b" + b"\xff" * 8, MALFORMED),  # a list of 2^64 - 1 items
        (lambda data: b"\x81" * 60_000 + b"\x80", TOO_LARGE),  # lists in lists
        (lambda data: dagcbor.encode([1, 2]), MALFORMED),
        (lambda data: dagcbor.encode({"v": 1, "kind": "contribution"}), MALFORMED),
        (put("v", 2), MALFORMED),
        (put("kind", "task"), MALFORMED),
        (put("slot", True), MALFORMED),
        (put("slot", -1), MALFORMED),
        (put("round", "1"), MALFORMED),
        (put("task", 1 << 63), WRONG_CONTEXT),
        (put("base", bytes(31)), MALFORMED),
        (put("rounds", bytes(32)), MALFORMED),
        (put("receipts", bytes(32)), MALFORMED),
        (put("update", None), MALFORMED),
        (put("boundaries", bytes(32)), MALFORMED),
        (put("boundaries", [bytes(31)] * 3), MALFORMED),
        (put("boundaries", {}), MALFORMED),
        (put("more", 1), MALFORMED),
        (record(lambda fields: fields.pop("leaves")), MALFORMED),
        (put("boundaries", [bytes(32)] * (MAX_MANIFEST_BYTES // 32)), TOO_LARGE),
    ],
)
def test_a_manifest_of_another_form_is_refused(change: Change, reason: Reason) -> None:
    assert refused(with_raw_manifest(change)) == (Check.UPDATE, reason)


def test_a_manifest_that_counts_what_is_not_there_is_refused() -> None:
    blocks = MemoryBlocks()
    _, manifest = published(honest(), blocks)
    for count in (0, manifest.receipt_count + 1, (1 << 64) - 1):
        assert refused(with_manifest(replace(manifest, receipt_count=count), blocks))[1] is WRONG_COUNT
    shorter = replace(manifest, boundaries=manifest.boundaries[:-1])
    assert refused(with_manifest(shorter, blocks))[1] is WRONG_COUNT


@pytest.mark.parametrize("name", ["receipts", "leaves"])
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: b"", WRONG_COUNT),
        (lambda data: data[:-1], MALFORMED),
        (lambda data: data[: len(data) // 2 + 1], MALFORMED),
        (lambda data: data + bytes(1), MALFORMED),
        (lambda data: data + data, MALFORMED),
        (lambda data: b"\xff" + data[1:], MALFORMED),
        (lambda data: data[:31] + bytes([data[31] ^ 1]) + data[32:], WRONG_ROOT),  # another task
        (lambda data: b"\x80\x04" + data[2:], MALFORMED),
    ],
)
def test_receipts_and_leaves_that_are_cut_or_changed_are_refused(name: str, change: Change, reason: Reason) -> None:
    assert refused(with_file(name, change)) == (Check.UPDATE, reason)


def test_one_receipt_or_leaf_too_few_is_a_wrong_count() -> None:
    result = honest()
    assert refused(with_file("receipts", lambda data: write_receipts(result.receipts[:-1])))[1] is WRONG_COUNT
    assert refused(with_file("leaves", lambda data: write_leaves(result.leaves[:-1])))[1] is WRONG_COUNT


def retold(change: Callable[[dict[str, np.ndarray]], None]) -> Change:
    """Changes the arrays of a safetensors file and writes it as it must be written."""

    def apply(data: bytes) -> bytes:
        arrays = tensors.load(data, max_bytes=1 << 30)
        change(arrays)
        return tensors.dump(arrays)

    return apply


def assign(name: str, value: Callable[[np.ndarray], np.ndarray]) -> Change:
    return retold(lambda arrays: arrays.update({name: value(arrays[name])}))


def first(value: float) -> Callable[[np.ndarray], np.ndarray]:
    """Sets the first element."""
    return lambda array: np.concatenate([np.array([value], dtype=array.dtype), array[1:]])


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data + b"\x00",
        lambda data: b"\x80\x04\x95" + data[3:],
        lambda data: (1 << 62).to_bytes(8, "little") + data[8:],  # a header of 4 EiB
        assign("tokens", first(-1)),
        assign("tokens", first(1 << 30)),
        assign("tokens", lambda array: array[:-1]),
        assign("tokens", lambda array: array.astype(np.int64)),
        assign("logprobs", first(np.nan)),
        assign("logprobs", first(-np.inf)),
        assign("logprobs", lambda array: array.reshape(1, -1)),
        assign("logprobs", lambda array: array.astype(np.float64)),
        assign("proofs", lambda array: array[:-1]),
        assign("proofs", lambda array: np.concatenate([array, array])),
        assign("proofs", lambda array: array[:0]),
        retold(lambda arrays: arrays.pop("proofs")),
        retold(lambda arrays: arrays.update(more=np.zeros(1, np.int8))),
    ],
)
def test_rollouts_that_no_sampler_writes_are_refused(change: Change) -> None:
    assert refused(with_file("rollouts", change)) == (Check.UPDATE, MALFORMED)


NAME = sorted(context().shapes)[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data + bytes(8),
        assign(f"{NAME}.q", lambda q: q.astype(np.float32) * np.float32(np.nan)),
        assign(f"{NAME}.q", lambda q: np.full(q.shape, np.inf, np.float32)),
        assign(f"{NAME}.q", lambda q: q[:-1]),
        assign(f"{NAME}.q", lambda q: np.concatenate([q, q])),
        assign(f"{NAME}.q", lambda q: q.reshape(1, -1)),
        assign(f"{NAME}.q", first(-128)),
        assign(f"{NAME}.e", lambda e: np.full(e.shape, 127, np.int8)),
        assign(f"{NAME}.e", lambda e: np.full(e.shape, -128, np.int8)),
        assign(f"{NAME}.e", lambda e: e[:0]),
        retold(lambda arrays: arrays.pop(f"{NAME}.e")),
        retold(lambda arrays: arrays.update(more=np.zeros(1, np.int8))),
        lambda data: tensors.dump(tensors.load(data, max_bytes=1 << 30), metadata={"a": "b"}),
        lambda data: tensors.dump({}),
    ],
)
def test_updates_that_no_encoder_writes_are_refused(change: Change) -> None:
    assert refused(with_file("update", change)) == (Check.UPDATE, MALFORMED)


def test_a_file_larger_than_the_task_allows_is_refused_before_it_is_read() -> None:
    assert refused(with_file("rollouts", lambda data: np.random.Generator(np.random.Philox(key=1)).bytes(1 << 23))) == (
        Check.UPDATE,
        TOO_LARGE,
    )


def with_proof(group: int, change: Change) -> RoundResult:
    """The honest round with another proof in one group, committed to by its receipts."""
    result = honest()
    proof = change(result.groups[group].proof)
    groups = tuple(replace(g, proof=proof) if g.index == group else g for g in result.groups)
    receipts = tuple(replace(r, proof_hash=Digest(keccak(proof))) if r.group == group else r for r in result.receipts)
    return replace(result, groups=groups, receipts=receipts, rollouts=encode_rollouts(groups))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda proof: b"\x00\x00" + proof[2:], MALFORMED),  # modulus 0
        (lambda proof: b"\x00\x01" + proof[2:], MALFORMED),
        (lambda proof: b"\xff\xff" + proof[2:], MALFORMED),
        (lambda proof: proof[:2] + b"\xff\xff" + proof[4:], MALFORMED),  # no element of the field
        (lambda proof: bytes(len(proof)), MALFORMED),
        (lambda proof: proof[:2] + bytes(len(proof) - 2), Reason.PROOF_MISMATCH),
    ],
)
def test_proofs_that_no_prover_makes_are_refused_when_they_are_drawn(change: Change, reason: Reason) -> None:
    case = case_of(with_proof(1, change))
    fault = check_rollout(case, 1)
    assert fault is not None and (fault.check, fault.item, fault.reason) == (Check.ROLLOUT, 1, reason)
    assert judge(dispute(Check.ROLLOUT, 1), case).ruling is Ruling.GUILTY_GROSS
    assert check_rollout(case, 0) is None


def with_boundary(change: Callable[[dict[str, bytes]], None], j: int = 1) -> Case:
    """The honest contribution with other files for boundary j, to whose digests its leaf commits."""
    result = honest()
    files = dict(result.boundaries[j].files())
    change(files)
    digests = [file_digest(files.get(name, b"")) for name in FILES]
    leaves = list(result.leaves)
    leaves[j] = replace(leaves[j], weights=digests[0], exp_avg=digests[1], exp_avg_sq=digests[2])
    for i in range(j + 1, len(leaves)):
        leaves[i] = replace(leaves[i], previous=leaves[i - 1].hash())
    blocks = MemoryBlocks()
    _, manifest = published(replace(result, leaves=tuple(leaves)), blocks)
    directory = Digest(unixfs.add_directory(blocks, files).digest)
    boundaries = (*manifest.boundaries[:j], directory, *manifest.boundaries[j + 1 :])
    case = with_manifest(replace(manifest, boundaries=boundaries), blocks)
    assert isinstance(case, Case), case
    return case


WEIGHTS = FILES[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda files: files.update({WEIGHTS: files[WEIGHTS][:-1]}),
        lambda files: files.update({WEIGHTS: b""}),
        lambda files: files.update({WEIGHTS: tensors.dump({})}),
        lambda files: files.update({WEIGHTS: assign(NAME, lambda array: array.reshape(-1))(files[WEIGHTS])}),
        lambda files: files.update({WEIGHTS: assign(NAME, lambda array: array.astype(np.float64))(files[WEIGHTS])}),
        lambda files: files.update({WEIGHTS: retold(lambda arrays: arrays.pop(NAME))(files[WEIGHTS])}),
    ],
)
def test_boundaries_that_do_not_fit_the_model_are_refused_at_once(change: Callable[[dict[str, bytes]], None]) -> None:
    case = with_boundary(change)
    fault = check_segment(case, 0)
    assert fault is not None and (fault.check, fault.reason) == (Check.AVAILABLE, MALFORMED)
    opinion = judge(dispute(Check.AVAILABLE, 0), case)
    assert opinion.ruling is Ruling.GUILTY_GROSS and not opinion.waiting


def test_a_last_boundary_that_does_not_fit_the_model_is_not_held() -> None:
    case = with_boundary(lambda files: files.update({WEIGHTS: tensors.dump({})}), RULES.segments)
    fault = why_not_held(case)
    assert fault is not None and fault.reason is MALFORMED
    assert (found := check_encode(case)) is not None and found.reason is MALFORMED


def test_a_boundary_too_large_for_the_model_is_refused_unread() -> None:
    case = with_boundary(lambda files: files.update({WEIGHTS: bytes(8 << 20)}))
    fault = check_segment(case, 0)
    assert fault is not None and (fault.check, fault.reason) == (Check.AVAILABLE, TOO_LARGE)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_number_that_is_none_in_a_boundary_is_found_by_whoever_draws_it(value: float) -> None:
    start, middle, end = honest().boundaries
    weights = {name: array.copy() for name, array in middle.weights.items()}
    weights[NAME].reshape(-1)[0] = value
    case = case_of(with_boundaries(honest(), (start, Boundary(weights, middle.exp_avg, middle.exp_avg_sq), end)))
    for segment in range(RULES.segments):
        fault = check_segment(case, segment)
        assert fault is not None and (fault.check, fault.reason) == (Check.SEGMENT, Reason.NON_FINITE)
        assert judge(dispute(Check.SEGMENT, segment), case).ruling is Ruling.GUILTY_GROSS


def test_a_bad_contribution_costs_the_good_one_beside_it_nothing() -> None:
    bad = with_file("update", lambda data: data[:-1])
    examiner = Examiner(SEAT, context().params, (0, 1), lambda text: None)
    good = case_of(honest())
    while examiner.todo():
        slot = examiner.todo()[0]
        examiner.look(slot, bad if slot == 1 else good)
    found = examiner.result()
    assert found.marks == {0: Mark.PASS, 1: Mark.CHALLENGE}
    assert found.leaves and found.findings[1].reason is MALFORMED
