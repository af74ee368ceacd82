"""Run by `test_kills.py` in a process of one thread, which may fork. Prints at how many points each could be killed."""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path

from support.killing import Work, at_any_moment, at_every_point
from support.training import config, context, genesis, numerics, train

from kizuna.chain.structs import Ballot, Challenge
from kizuna.diloco.segments import RoundResult, SegmentRecord, TrainRound
from kizuna.hashing import keccak
from kizuna.node.agent import Options
from kizuna.node.contribution import Manifest, publish
from kizuna.node.task_context import file_digest
from kizuna.node.versions import Version, Versions
from kizuna.state import hold
from kizuna.store import DAG_CBOR, DAG_PB, Cid, Fetcher, FlatFs, Limits, Pins, unixfs
from kizuna.types import Check, Digest, Ruling
from trainer.agent import serve
from trainer.drafts import Drafts
from verifier.jury import Opinion, Rulings
from verifier.vote import Ballots

RULES = config()


@cache
def trained() -> TrainRound:
    return train(RULES)


@cache
def result() -> RoundResult:
    return trained().result(numerics_id=numerics(), digest_of=file_digest)


def same(a: SegmentRecord, b: SegmentRecord) -> bool:
    return a.files() == b.files()


# --- drafts ---


def drafts(folder: Path) -> Drafts:
    return Drafts(folder, lambda text: None)


def first_draft(folder: Path) -> None:
    drafts(folder).save(RULES, trained().records[0])


def damaged_draft(folder: Path) -> None:
    """The first segment, and a second one with a flipped bit."""
    for record in trained().records:
        drafts(folder).save(RULES, record)
    (weights,) = folder.glob("*/1/weights.safetensors")
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)


def save_draft(folder: Path) -> None:
    drafts(folder).load(RULES, context().model)
    drafts(folder).save(RULES, trained().records[1])


def check_drafts(folder: Path) -> None:
    loaded = drafts(folder).load(RULES, context().model)
    assert len(loaded) in (1, 2)
    assert all(map(same, loaded, trained().records))


# --- store ---


def stored(folder: Path) -> tuple[FlatFs, Pins]:
    blocks = FlatFs(folder / "blocks")
    return blocks, Pins(blocks, folder / "pins.sqlite")


def check_store(folder: Path) -> None:
    """No block is damaged, no pin is incomplete, nothing half-written stays."""
    blocks, pins = stored(folder)
    assert all(blocks.has(Cid(Digest(digest))) for digest in blocks.digests())
    assert pins.damaged() == ()
    assert list((folder / "blocks" / ".temp").iterdir()) == []
    pins.close()
    blocks.close()


def save_contribution(folder: Path) -> None:
    blocks, pins = stored(folder)
    digest, manifest = publish(blocks, result(), RULES, chain=1, rounds=bytes(20), numerics_id=numerics())
    for cid in (Cid(digest, DAG_CBOR), *(Cid(boundary, DAG_PB) for boundary in manifest.boundaries)):
        pins.pin(cid, "task/1/round/1")
    assert Manifest.decode(blocks.get(Cid(digest, DAG_CBOR)) or b"") == manifest
    pins.close()
    blocks.close()


def save_version(folder: Path, number: int = 4) -> None:
    blocks, pins = stored(folder)
    versions = Versions(context(), blocks, Fetcher(blocks, [], Limits(max_bytes=1 << 30)), pins)
    files = {**genesis(), "kizuna.json": b"%d" % number}
    versions._keep(Version(number, Digest(unixfs.add_directory(blocks, files).digest), files))
    assert pins.roots(f"task/1/version/{number}") and not pins.roots(f"task/1/version/{number - 3}")
    pins.close()
    blocks.close()


def old_versions(folder: Path) -> None:
    for number in (1, 2, 3):
        save_version(folder, number)


def save_and_collect(folder: Path) -> None:
    """A version comes, an older one goes, and what it alone held is deleted."""
    number = 1
    while (folder / f"{number}").exists():
        number += 1
    save_version(folder, number)
    (folder / f"{number}").touch()
    blocks, pins = stored(folder)
    pins.gc(min_age_s=-1.0)
    pins.close()
    blocks.close()


# --- ballots and rulings ---


def ballot(salt: bytes) -> Ballot:
    one = Digest(keccak(b"one"))
    return Ballot(
        marks=6,
        secret=one,
        evidence_root=one,
        previous_version=one,
        salt=Digest(keccak(salt)),
        challenges=(Challenge(1, Check.SEGMENT, 0, one),),
    )


def save_ballot(folder: Path) -> None:
    Ballots(folder).save(3, ballot(b"first"), (b"leaf" * 9,))
    Ballots(folder).save(3, ballot(b"second"), ())  # what was voted for is never replaced


def check_ballot(folder: Path) -> None:
    assert Ballots(folder).load(3) in (None, (ballot(b"first"), (b"leaf" * 9,)), (ballot(b"second"), ()))


def save_rulings(folder: Path) -> None:
    Rulings(folder).save(3, 1, (Opinion(Ruling.CLEAN), Opinion(Ruling.GUILTY_GROSS, Digest(keccak(b"mine")))))


def check_rulings(folder: Path) -> None:
    found = Rulings(folder).load(3, 1)
    assert found is None or [opinion.ruling for opinion in found] == [Ruling.CLEAN, Ruling.GUILTY_GROSS]


# --- port and operator ---


def old_port(folder: Path) -> None:
    (folder / "port").write_text("65000")


def save_port(folder: Path) -> None:
    blocks = FlatFs(folder / "blocks")
    serve(blocks, Options(task=1, state=folder, listen=("127.0.0.1", 0))).close()
    blocks.close()


def check_port(folder: Path) -> None:
    text = (folder / "port").read_text()
    assert text.isdigit() and 1024 <= int(text) <= 65_535


def save_operator(folder: Path) -> None:
    with hold(folder, operator="0x" + "ab" * 20):
        pass


def check_operator(folder: Path) -> None:
    path = folder / "operator"
    assert not path.exists() or path.read_text() == "0x" + "ab" * 20


def nothing(folder: Path) -> None:
    """Writers that need nothing to start from."""


WRITERS: dict[str, tuple[Work, Work, Work]] = {
    "draft": (first_draft, save_draft, check_drafts),
    "draft in place of a damaged one": (damaged_draft, save_draft, check_drafts),
    "contribution": (nothing, save_contribution, check_store),
    "version": (old_versions, save_version, check_store),
    "ballot": (nothing, save_ballot, check_ballot),
    "rulings": (nothing, save_rulings, check_rulings),
    "port": (old_port, save_port, check_port),
    "operator": (nothing, save_operator, check_operator),
}


STRIDES = {"draft": 5, "draft in place of a damaged one": 7, "contribution": 29, "version": 9, "port": 5}
"""Writers with many points are killed at every fifth, seventh, ... of them: odd, so before and after calls."""


def main(folder: Path) -> dict[str, int]:
    context(), result()
    points = {}
    for i, (name, (prepare, write, check)) in enumerate(WRITERS.items()):
        start = folder / f"start-{i}"
        start.mkdir()
        prepare(start)
        points[name] = at_every_point(start, write, check, stride=STRIDES.get(name, 1))
    store = folder / "store"
    store.mkdir()
    at_any_moment(store, save_and_collect, check_store, kills=12, longest_s=0.3)
    return points


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
