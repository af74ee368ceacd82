"""The block store on disk: Kubo's layout, damage, crashes, a full disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kizuna.errors import ConfigError, StoreFull
from kizuna.store import Cid, FlatFs
from kizuna.store._disk import full_message, naming_full

EMPTY_KEY = "CIQOHMGEIKMPYHAUTL57JSEZN64SIJ5OIHSGJG4TJSSJLGI3PBJLQVI"  # as Kubo names the empty block


@pytest.fixture
def store(tmp_path: Path) -> FlatFs:
    return FlatFs(tmp_path / "blocks")


def filled(store: FlatFs, count: int = 5) -> list[Cid]:
    blocks = [bytes([i]) * 1000 for i in range(count)]
    for block in blocks:
        store.put(Cid.of(block), block)
    return [Cid.of(block) for block in blocks]


def test_the_layout_is_the_one_kubo_reads(store: FlatFs) -> None:
    store.put(Cid.of(b""), b"")
    assert (store.root / "SHARDING").read_text() == "/repo/flatfs/shard/v1/next-to-last/2\n"
    assert (store.root / EMPTY_KEY[-3:-1] / f"{EMPTY_KEY}.data").read_bytes() == b""
    visible = sorted(path.name for path in store.root.iterdir() if not path.name.startswith("."))
    assert visible == [EMPTY_KEY[-3:-1], "SHARDING"]


def test_blocks_are_there_after_a_restart(store: FlatFs) -> None:
    cids = filled(store)
    again = FlatFs(store.root)
    assert all(again.has(cid) for cid in cids)
    assert set(again.digests()) == {cid.digest for cid in cids}


def test_damaged_blocks_count_as_absent_and_are_mended_by_the_next_put(store: FlatFs) -> None:
    cids = filled(store)
    empty, half, flipped, moved, whole = cids
    store.close()
    store.path(empty).write_bytes(b"")
    store.path(half).write_bytes(store.path(half).read_bytes()[:500])
    store.path(flipped).write_bytes(b"X" + store.path(flipped).read_bytes()[1:])
    store.path(moved).unlink()
    store.path(moved).parent.rmdir()

    again = FlatFs(store.root)
    assert [again.get(cid) for cid in (empty, half, flipped, moved)] == [None] * 4
    assert not any(again.has(cid) for cid in (empty, half, flipped, moved))
    assert again.has(whole)
    assert filled(again) == cids
    assert all(again.has(cid) for cid in cids)


def test_a_file_larger_than_any_block_is_absent(store: FlatFs) -> None:
    (cid,) = filled(store, 1)
    with open(store.path(cid), "r+b") as file:
        file.truncate(1 << 40)  # sparse
    assert store.get(cid) is None


def test_what_a_crash_left_half_written_goes_at_the_next_start(store: FlatFs) -> None:
    (cid,) = filled(store, 1)
    leftovers = [store.root / ".temp" / "put-1", store.path(cid).parent / "put-2", store.root / ".sharding-3"]
    for path in leftovers:
        path.write_bytes(b"half")
    store.close()
    FlatFs(store.root)
    assert not any(path.exists() for path in leftovers)


def test_a_second_process_does_not_remove_what_the_first_is_writing(store: FlatFs) -> None:
    being_written = store.root / ".temp" / "put-1"
    being_written.write_bytes(b"half")
    FlatFs(store.root)
    assert being_written.exists()


def test_other_files_in_the_store_are_passed_over(store: FlatFs) -> None:
    (cid,) = filled(store, 1)
    (store.root / "diskUsage.cache").write_text("{}")
    (store.root / "_README").write_text("flatfs")
    (store.path(cid).parent / "notes.data").write_text("x")
    misplaced = store.root / "AA"
    misplaced.mkdir()
    (misplaced / store.path(cid).name).write_bytes(b"x")
    assert list(FlatFs(store.root).digests()) == [cid.digest]


def test_a_store_of_another_layout_or_another_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "SHARDING").write_text("/repo/flatfs/shard/v1/prefix/2\n")
    with pytest.raises(ConfigError, match="another layout"):
        FlatFs(tmp_path / "other")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("")
    with pytest.raises(ConfigError, match="not empty"):
        FlatFs(tmp_path / "home")


def test_putting_a_block_again_makes_it_young(store: FlatFs) -> None:
    (cid,) = filled(store, 1)
    os.utime(store.path(cid), (1000, 1000))
    assert store.age_s(cid, now=5000.0) == 4000.0
    filled(store, 1)
    assert (store.age_s(cid, now=store.path(cid).stat().st_mtime) or 0.0) == 0.0
    assert store.age_s(Cid.of(b"absent"), now=0.0) is None


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreFull, match=str(tmp_path)), naming_full(tmp_path), open("/dev/full", "wb", 0) as file:
        file.write(b"x")


def disk(**values: int) -> Any:
    return SimpleNamespace(**{"f_files": 100, "f_favail": 50, "f_bavail": 0, "f_frsize": 4096, **values})


def test_what_there_is_none_left_of_is_named() -> None:
    assert "no bytes left (0 free)" in full_message(Path("/x"), disk(), errno.ENOSPC)
    assert "no inodes left" in full_message(Path("/x"), disk(f_favail=0, f_bavail=9), errno.ENOSPC)
    assert "no bytes left" in full_message(Path("/x"), disk(f_files=0, f_favail=0), errno.ENOSPC)
    assert "quota" in full_message(Path("/x"), disk(), errno.EDQUOT)


def test_other_errors_pass_unchanged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), naming_full(tmp_path):
        (tmp_path / "absent").read_bytes()
