"""Writes the golden vectors that Python and Solidity both have to reproduce: `python tests/vectors/generate.py`.

Flat arrays, so that `vm.parseJson*Array` reads them: case i of a table is entry i of each of its columns.
Integers are decimal strings, hashes 0x-prefixed hex. Lists of different lengths are concatenated; entry i
of `<table>_offset` says where list i starts, and one entry more says where the last one ends.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kizuna import draws, index_tree, payouts
from kizuna.chain import Money, bits, positions, rules
from kizuna.draws import Draw, DrawKind
from kizuna.hashing import keccak, tagged
from kizuna.shardcast import aggregate, update
from kizuna.toploc import proofs, receipts
from kizuna.types import Digest, Role

HERE = Path(__file__).parent
Table = dict[str, list[Any]]

SIZES = sorted({*range(1, 71), *(1 << p for p in range(12)), *((1 << p) + 1 for p in range(12)), 100, 1000})
MONEY = [field.name for field in dataclasses.fields(Money)]
TREE_COUNTS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 70)


def seeded(name: str, i: int) -> bytes:
    """A 32-byte value that looks random and never changes."""
    return tagged("kizuna.vectors", keccak(name.encode()), i)


def number(name: str, i: int, bits: int) -> int:
    return int.from_bytes(seeded(name, i), "big") >> (256 - bits)


def hexes(values: Iterable[bytes]) -> list[str]:
    return ["0x" + value.hex() for value in values]


def decimals(values: Iterable[int]) -> list[str]:
    return [str(int(value)) for value in values]


def offsets(lists: Sequence[Sequence[Any]]) -> list[str]:
    ends = [0]
    for one in lists:
        ends.append(ends[-1] + len(one))
    return decimals(ends)


def draw_columns(prefix: str, cases: Sequence[Draw]) -> Table:
    return {
        f"{prefix}_task": decimals(d.task for d in cases),
        f"{prefix}_round": decimals(d.round for d in cases),
        f"{prefix}_beacon": hexes(d.beacon for d in cases),
        f"{prefix}_secret": hexes(d.secret for d in cases),
        f"{prefix}_seat": decimals(d.seat for d in cases),
        f"{prefix}_slot": decimals(d.slot for d in cases),
        f"{prefix}_kind": decimals(d.kind for d in cases),
    }


def some_draw(i: int) -> Draw:
    wide = i % 5 == 4  # now and then fields that fill their word
    task, round, seat, slot = (number(f, i, 256 if wide else 12) for f in ("task", "round", "seat", "slot"))
    secret = bytes(32) if i % 2 else seeded("secret", i)
    return Draw(task, round, seeded("beacon", i), DrawKind(i % 7), secret, seat, slot)


def draw_vectors() -> Table:
    cases = [some_draw(i) for i in range(100)]
    table = draw_columns("word", cases)
    table["word_i"] = decimals(i * i for i in range(100))
    table["word_value"] = hexes(draws.word(d, i * i).to_bytes(32, "big") for i, d in enumerate(cases))
    below = [some_draw(1000 + i) for i in range(len(SIZES))]
    table |= draw_columns("below", below)
    table["below_n"] = decimals(SIZES)
    table["below_value"] = decimals(draws.below(d, n) for d, n in zip(below, SIZES, strict=True))
    pairs = [(n, k) for n in [0, *SIZES] for k in sorted({0, 1, 3, 9, n // 2, max(n - 1, 0), n, n + 1}) if k <= 40]
    sampled = [some_draw(2000 + i) for i in range(len(pairs))]
    lists = [draws.sample(d, n, k) for d, (n, k) in zip(sampled, pairs, strict=True)]
    table |= draw_columns("sample", sampled)
    table["sample_n"], table["sample_k"] = decimals(n for n, _ in pairs), decimals(k for _, k in pairs)
    table["sample_offset"] = offsets(lists)
    table["sample_values"] = decimals(value for one in lists for value in one)
    return table | committee_vectors() | audit_vectors() | chain_vectors()


def some_positions(i: int, count: int) -> list[int]:
    def shuffled(position: int) -> bytes:
        return seeded(f"active{i}", position)

    return sorted(sorted(range(256), key=shuffled)[:count])


def committee_vectors() -> Table:
    """Members of a bit set whose ranks are drawn; Solidity returns the set, Python the draw order."""
    cases = [(i, count, (1, 3, 5)[i % 3]) for i, count in enumerate([*range(1, 65), 3, 9, 27])]
    actives = [some_positions(i, count) for i, count, _ in cases]
    kinds = [DrawKind(i % 2) for i, _, _ in cases]
    beacons = [seeded("seal", i) for i, _, _ in cases]
    chosen = [
        draws.committee(kind, active, size, task=i, round=2 * i, beacon=beacon, shard=i % 3)
        for (i, _, size), active, kind, beacon in zip(cases, actives, kinds, beacons, strict=True)
    ]
    return {
        "committee_task": decimals(i for i, _, _ in cases),
        "committee_round": decimals(2 * i for i, _, _ in cases),
        "committee_shard": decimals(i % 3 for i, _, _ in cases),
        "committee_kind": decimals(kinds),
        "committee_beacon": hexes(beacons),
        "committee_size": decimals(size for _, _, size in cases),
        "committee_active": decimals(sum(1 << p for p in active) for active in actives),
        "committee_count": decimals(len(active) for active in actives),
        "committee_members": decimals(sum(1 << p for p in members) for members in chosen),
        "committee_offset": offsets(chosen),
        "committee_order": decimals(p for members in chosen for p in members),
    }


def audit_vectors() -> Table:
    rates = [0, 1 << 32, *(number("rate", i, 32) for i in range(62))]
    beacons = [seeded("audit", i) for i in range(64)]
    hits = [draws.audited(r, task=i, round=i + 1, audit=beacons[i], seat=i % 7) for i, r in enumerate(rates)]
    counts = [(1 + i % 64, 1 + i % 9) for i in range(64)]
    picks = [
        draws.audit_sample(passes, per_pass, task=i, round=i + 1, audit=beacons[i], seat=i % 7)
        for i, (passes, per_pass) in enumerate(counts)
    ]
    return {
        "audit_task": decimals(range(64)),
        "audit_round": decimals(range(1, 65)),
        "audit_seat": decimals(i % 7 for i in range(64)),
        "audit_beacon": hexes(beacons),
        "audit_rate": decimals(rates),
        "audit_hit": list(map(bool, hits)),
        "audit_passes": decimals(passes for passes, _ in counts),
        "audit_per_pass": decimals(per_pass for _, per_pass in counts),
        "audit_pick": decimals(picks),
    }


def chain_vectors() -> Table:
    chain = draws.secret_chain(seeded("key", 0), 64, context=(31337, 5, seeded("contract", 0)))
    return {
        "chain_key": hexes([seeded("key", 0)]),
        "chain_contract": hexes([seeded("contract", 0)]),
        "chain_links": hexes([chain.tip, *(chain.link(k) for k in range(1, 65))]),
    }


def tree_vectors() -> Table:
    leaves = [seeded("leaf", i) for i in range(70)]
    cases = [(n, i) for n in TREE_COUNTS for i in sorted({0, 1, n // 2, n - 2, n - 1}) if 0 <= i < n]
    paths = [index_tree.prove(leaves[:n], i) for n, i in cases]
    long_leaves = [b"".join(seeded(f"long{i}", w) for w in range(15 if i % 2 else 13)) for i in range(7)]
    long_leaves.append(b"")
    long_paths = [index_tree.prove(long_leaves, i) for i in range(len(long_leaves))]
    return {
        "leaves": hexes(leaves),
        "roots": hexes(index_tree.root(leaves[:n]) for n in range(71)),
        "depths": decimals(index_tree.depth(n) for n in range(71)),
        "proof_count": decimals(n for n, _ in cases),
        "proof_index": decimals(i for _, i in cases),
        "proof_offset": offsets(paths),
        "proof_nodes": hexes(node for path in paths for node in path),
        "long_leaves": hexes(long_leaves),
        "long_root": hexes([index_tree.root(long_leaves)]),
        "long_offset": offsets(long_paths),
        "long_nodes": hexes(node for path in long_paths for node in path),
    }


def payout_vectors() -> Table:
    edges = [0, 1, 2, 9, 10, 11, 99, 100, 101, 10**18, 10**18 + 9, (1 << 128) - 1]
    triples = [(s, a, c) for s in edges for a in (0, 1, 10, 10**18, (1 << 128) - 1) for c in (0, 1, 5 * 10**17)]
    triples += [(number("stake", i, 100), number("amount", i, 100), number("cap", i, 96)) for i in range(100)]
    taken = [payouts.slash(s, a) for s, a, _ in triples]
    bounties = [payouts.bounty(t, c) for t, (_, _, c) in zip(taken, triples, strict=True)]
    splits = [(pot, n) for pot in edges for n in (0, 1, 2, 3, 7, 64)]
    shares = [payouts.split(pot, n) for pot, n in splits]
    return {
        "slash_stake": decimals(s for s, _, _ in triples),
        "slash_amount": decimals(a for _, a, _ in triples),
        "slash_cap": decimals(c for _, _, c in triples),
        "slash_taken": decimals(taken),
        "slash_bounty": decimals(bounties),
        "slash_burned": decimals(payouts.burned(t, b) for t, b in zip(taken, bounties, strict=True)),
        "split_bounty": decimals(pot for pot, _ in splits),
        "split_n": decimals(n for _, n in splits),
        "split_share": decimals(share for share, _ in shares),
        "split_dust": decimals(dust for _, dust in shares),
        "quorum": decimals(payouts.quorum(c) for c in range(257)),
    }


def rule_vectors() -> Table:
    """What the tables above leave out of the libraries: odd proofs, wide draws, sets, accounts, sums."""
    tables = (proof_vectors, wide_draw_vectors, secret_vectors, bit_vectors, account_vectors, money_vectors)
    return {name: values for table in tables for name, values in table().items()}


def proof_vectors() -> Table:
    """True and spoilt proofs; `proof_holds` says which hold."""
    leaves = [b"".join(seeded(f"word{i}", w) for w in range(i % 4)) + bytes(i % 3) for i in range(40)]
    cases: list[tuple[bytes, bytes, int, int, tuple[bytes, ...]]] = []
    for n in (1, 2, 3, 5, 8, 13, 40):
        root, index = index_tree.root(leaves[:n]), number("index", n, 16) % n
        proof = index_tree.prove(leaves[:n], index)
        flipped = (*proof[:-1], bytes(x ^ 1 for x in proof[-1])) if proof else (bytes(32),)
        cases += [(root, leaves[index], index, n, path) for path in (proof, flipped, proof[:-1], (*proof, bytes(32)))]
        cases += [(root, leaves[index], index, count, proof) for count in (0, n + 1, 2 * n, (1 << 64) + n)]
        cases += [(root, leaves[index], wrong, n, proof) for wrong in (index + 1, index ^ 1, index + (1 << 64), n)]
        cases += [
            (root, leaves[index] + bytes(1), index, n, proof),
            (seeded("root", n), leaves[index], index, n, proof),
        ]
    return {
        "proof_root": hexes(root for root, *_ in cases),
        "proof_leaf": hexes(leaf for _, leaf, *_ in cases),
        "proof_index": decimals(index for _, _, index, *_ in cases),
        "proof_count": decimals(count for *_, count, _ in cases),
        "proof_offset": offsets([path for *_, path in cases]),
        "proof_nodes": hexes(node for *_, path in cases for node in path),
        "proof_holds": [index_tree.verify(root, n, i, leaf, path) for root, leaf, i, n, path in cases],
    }


def wide_draw_vectors() -> Table:
    """Bounds of up to 255 bits, and committees of any size out of full and empty sets."""
    bounds = [1 << 64, (1 << 64) + 1, (1 << 128) - 1, (1 << 200) + 12345, 1 << 255]
    numbers = [some_draw(3000 + i) for i in range(len(bounds))]
    sets = [0, 1, 1 << 255, (1 << 256) - 1, *(number("set", i, 256) for i in range(12))]
    pairs = [(chosen, k) for chosen in sets for k in (0, 1, 2, 15, 300)]
    drawn = [some_draw(4000 + i) for i in range(len(pairs))]
    ranks = [draws.sample(d, chosen.bit_count(), k) for d, (chosen, k) in zip(drawn, pairs, strict=True)]
    members = [bits([positions(chosen)[r] for r in ranked]) for (chosen, _), ranked in zip(pairs, ranks, strict=True)]
    table = draw_columns("wide", numbers) | draw_columns("set", drawn)
    table["wide_n"] = decimals(bounds)
    table["wide_value"] = decimals(draws.below(d, n) for d, n in zip(numbers, bounds, strict=True))
    table["set_of"], table["set_k"] = decimals(chosen for chosen, _ in pairs), decimals(k for _, k in pairs)
    table["set_members"] = decimals(members)
    return table


def secret_vectors() -> Table:
    """Whether a secret that is the `index`-th of its chain leads to the one opened last, the `opened`-th."""
    links = draws.secret_chain(seeded("secrets", 0), 600)
    values = [links.tip, *(links.link(k) for k in range(1, 601))]
    steps = [
        (1, 0),
        (2, 1),
        (7, 2),
        (256, 0),
        (257, 0),
        (257, 1),
        (600, 344),
        (600, 343),
        (3, 3),
        (3, 4),
        (0, 0),
        (0, 1),
    ]
    cases = [(values[index], index, values[opened], opened) for index, opened in steps]
    cases += [(values[index + 1], index, values[opened], opened) for index, opened in steps if index < 600]
    cases += [(bytes(32), 1, keccak(bytes(32)), 0), (bytes(32), 1, bytes(32), 0)]
    return {
        "secret": hexes(secret for secret, *_ in cases),
        "secret_index": decimals(index for _, index, *_ in cases),
        "secret_last": hexes(last for *_, last, _ in cases),
        "secret_opened": decimals(opened for *_, opened in cases),
        "secret_follows": [
            index > opened and draws.leads_to(secret, last, index - opened) for secret, index, last, opened in cases
        ],
    }


def bit_vectors() -> Table:
    words = [0, 1, 2, 3, 1 << 63, 1 << 64, 1 << 255, (1 << 64) - 1, (1 << 128) - 1, (1 << 256) - 1]
    words += [number("bits", i, 256) for i in range(20)]
    words += [number("dense", i, 256) | number("denser", i, 256) | number("densest", i, 256) for i in range(5)]
    words += [number("rare", i, 256) & number("rarer", i, 256) & number("rarest", i, 256) for i in range(5)]
    ranked = [(word, r) for word in words if word for r in sorted({0, word.bit_count() // 2, word.bit_count() - 1})]
    bars = [(word, bar) for word in words for bar in (1, 2, 7, 8, 14, 15)]
    return {
        "bits_word": decimals(words),
        "bits_count": decimals(word.bit_count() for word in words),
        "bits_every_second": decimals(sum((word >> 2 * p & 1) << p for p in range(64)) for word in words),
        "bits_to_nibbles": decimals(sum((word >> p & 1) << 4 * p for p in range(64)) for word in words),
        "bits_from_nibbles": decimals(sum((word >> 4 * p & 1) << p for p in range(64)) for word in words),
        "nth_word": decimals(word for word, _ in ranked),
        "nth_rank": decimals(rank for _, rank in ranked),
        "nth_position": decimals(positions(word)[rank] for word, rank in ranked),
        "bar_word": decimals(word for word, _ in bars),
        "bar": decimals(bar for _, bar in bars),
        "bar_reached": decimals(bits([p for p in range(64) if word >> 4 * p & 15 >= bar]) for word, bar in bars),
    }


def account_vectors() -> Table:
    tasks = [1, 2, 255, (1 << 256) - 1, number("task", 0, 256)]
    numbers = [(task, r) for task in tasks for r in (0, 1, (1 << 32) - 1)]
    seats = [(task, role, p) for task in tasks[:3] for role in Role for p in (0, 1, 63, 255)]
    owners = [bytes(20), bytes(19) + b"\1", b"\xff" * 20, *(seeded("owner", i)[:20] for i in range(3))]
    return {
        "account_burned": hexes([rules.BURNED]),
        "account_owner": decimals(int.from_bytes(owner, "big") for owner in owners),
        "account_free": hexes(rules.free_account("0x" + owner.hex()) for owner in owners),
        "account_task": decimals(tasks),
        "account_escrow": hexes(map(rules.escrow_account, tasks)),
        "account_bond": hexes(map(rules.bond_account, tasks)),
        "account_claims": hexes(map(rules.claims_account, tasks)),
        "pot_task": decimals(task for task, _ in numbers),
        "pot_round": decimals(r for _, r in numbers),
        "account_pot": hexes(rules.pot_account(task, r) for task, r in numbers),
        "account_docket": hexes(rules.docket_account(task, r, d) for task, r in numbers for d in (1, 2)),
        "stake_task": decimals(task for task, _, _ in seats),
        "stake_role": decimals(role for _, role, _ in seats),
        "stake_position": decimals(position for _, _, position in seats),
        "account_stake": hexes(rules.stake_account(*seat) for seat in seats),
    }


def money_vectors() -> Table:
    """Fines, bonds and reserves; a row of `sum_fees` is price, check, attest, juror fee, tip and challenge bond."""
    edges = [0, 1, 2, 10**18, (1 << 128) - 1]
    fines = [(stake, amount) for stake in edges for amount in edges]
    sizes = [(0, 0, 0), (1, 1, 1), (4, 5, 3), (64, 256, 15), (64, 3, 3), (1, 256, 1)]
    amounts = [[edge] * 6 for edge in edges] + [[number(f"fee{f}", i, 128) for f in range(6)] for i in range(10)]
    cases = [(size, fees) for size in sizes for fees in amounts]
    kinds = ("price", "check_fee", "attest_fee", "juror_fee", "tip", "challenge_bond")
    sums = [(size, Money(**dict.fromkeys(MONEY, 0) | dict(zip(kinds, fees, strict=True)))) for size, fees in cases]
    reserves = [rules.reserve(money, trainers=t, verifiers=v, committee=c) for (t, v, c), money in sums]
    return {
        "fine_stake": decimals(stake for stake, _ in fines),
        "fine_amount": decimals(amount for _, amount in fines),
        "fine_taken": decimals(payouts.fine(stake, amount) for stake, amount in fines),
        "sum_sizes": decimals(n for size, _ in cases for n in size),
        "sum_fees": decimals(fee for _, fees in cases for fee in fees),
        "sum_reserve": decimals(reserves),
        "sum_bond": decimals(rules.bond(money, verifiers=size[1]) for size, money in sums),
    }


def struct_vectors() -> Table:
    made = [some_receipt(i) for i in range(8)]
    leaves = [some_leaf(i) for i in range(8)]
    return {
        "receipts": hexes(receipt.encode() for receipt in made),
        "receipt_reward": decimals(receipt.reward for receipt in made),
        "receipt_root": hexes([index_tree.root([receipt.encode() for receipt in made])]),
        "leaves": hexes(leaf.encode() for leaf in leaves),
        "leaf_hash": hexes(leaf.hash() for leaf in leaves),
        "leaf_root": hexes([index_tree.root([leaf.encode() for leaf in leaves])]),
        "tokens_hash": hexes([receipts.tokens_hash([]), receipts.tokens_hash([0, 1, 151643, (1 << 32) - 1])]),
        "logprobs_hash": hexes([receipts.logprobs_hash([]), receipts.logprobs_hash([-0.5, -1e-3, 0.0])]),
    }


def some_receipt(i: int) -> receipts.Receipt:
    def digest(name: str) -> Digest:
        return Digest(seeded(name, i))

    return receipts.Receipt(
        1, 2, 3, i // 4, i, i // 2, i // 4, digest("base"), digest("prompt"), digest("tokens"), 5 * i,
        digest("logprobs"), (-1) ** i * 250_000 * i, i % 2, digest("proof"),
    )  # fmt: skip


def some_leaf(i: int) -> receipts.Leaf:
    def digest(name: str) -> Digest:
        return Digest(seeded(name, i))

    return receipts.Leaf(
        1, 2, 3, i, digest("previous"), 4 * i, digest("weights"), digest("avg"), digest("avgsq"), 16 * i, 16,
        i / 7, digest("numerics"),
    )  # fmt: skip


def some_fp32(name: str, size: int, *, scale: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Values from a hash, so that they are the same with every numpy: 24-bit integers times 2^scale."""
    stream = b"".join(seeded(name, i) for i in range(-(-size // 8)))
    integers = np.frombuffer(stream, dtype="<i4")[:size] >> 8
    return np.ldexp(integers.astype(np.float32), scale)


def shardcast_vectors() -> Table:
    """One tensor of 4,099 elements (two blocks), three contributions: inputs and outputs as bit patterns."""
    size = 4099
    base = some_fp32("base", size, scale=-24)
    base[:6] = [0.0, -0.0, 2.0**-149, 3e38, -1e-20, 2.0**-33]
    deltas = [some_fp32(f"delta{i}", size, scale=-30 - 3 * i) for i in range(3)]
    updates = [update.encode({"w": delta}) for delta in deltas]
    quotas = [1, 2, 4]
    weights = aggregate.weights_q16(quotas)
    parts = [aggregate.Part(w, u["w.q"], u["w.e"]) for w, u in zip(weights, updates, strict=True)]
    return {
        "base": hexes([base.astype("<f4").tobytes()]),
        "deltas": hexes(delta.astype("<f4").tobytes() for delta in deltas),
        "quotas": quotas,
        "updates": hexes(update.dumps(one) for one in updates),
        "squared_norms": decimals(update.squared_norm(one) for one in updates),
        "weights": list(weights),
        "mean": hexes([aggregate.mean(base, parts).astype("<f4").tobytes()]),
    }


def toploc_vectors() -> Table:
    shapes = [(1, 40), (1, 200), (31, 16), (33, 16), (64, 128), (3, 64)]
    inputs = [some_fp32(f"act{t}x{h}", t * h, scale=-20).reshape(t, h) for t, h in shapes]
    return {
        "rows": [t for t, _ in shapes],
        "hidden": [h for _, h in shapes],
        "activations": hexes(keccak(one.astype("<f4").tobytes()) for one in inputs),
        "proofs": hexes(proofs.prove(one) for one in inputs),
    }


VECTORS = {
    "draws.json": draw_vectors,
    "index_tree.json": tree_vectors,
    "payouts.json": payout_vectors,
    "rules.json": rule_vectors,
    "structs.json": struct_vectors,
    "shardcast.json": shardcast_vectors,
    "toploc.json": toploc_vectors,
}


def render(table: Table) -> str:
    """One column a line, so that a change shows as the columns it touches."""
    columns = ",\n".join(f"{json.dumps(name)}: {json.dumps(values)}" for name, values in table.items())
    return "{\n" + columns + "\n}\n"


if __name__ == "__main__":
    for name, build in VECTORS.items():
        (HERE / name).write_text(render(build()))
