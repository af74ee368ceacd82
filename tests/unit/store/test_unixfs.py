"""Files and directories: what is read, what is refused, and that nothing is written where it should not be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kizuna.errors import ContentMalformed, LimitExceeded, StoreError
from kizuna.store import DAG_CBOR, DAG_PB, RAW, BlocksMissing, Cid, Limits, MemoryBlocks, _dagpb, unixfs
from kizuna.store._dagpb import DirectoryNode, FileNode, Link

LIMITS = Limits(max_bytes=64 << 20)
LEAF = Cid.of(b"leaf")


def put(blocks: MemoryBlocks, block: bytes, codec: int = DAG_PB) -> Cid:
    cid = Cid.of(block, codec)
    blocks.put(cid, block)
    return cid


def directory(blocks: MemoryBlocks, *names: str) -> Cid:
    """A directory node whatever its names are: what an attacker can publish."""
    leaf = put(blocks, b"leaf", RAW)
    ordered = sorted(names, key=str.encode)
    return put(blocks, _dagpb.encode(DirectoryNode(tuple(Link(leaf, 4, name) for name in ordered))))


# --- import -----------------------------------------------------------------------------------------------------------


def test_a_directory_is_the_same_from_disk_from_bytes_and_from_ids(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "sub").mkdir()
    (tmp_path / "d" / "a").write_bytes(b"A" * 2_000_000)
    (tmp_path / "d" / "sub" / "b").write_bytes(b"B")
    blocks = MemoryBlocks()
    from_disk = unixfs.add_directory(blocks, tmp_path / "d")
    sub = unixfs.add_directory(blocks, {"b": b"B"})
    a = unixfs.add_bytes(blocks, b"A" * 2_000_000)

    assert unixfs.add_directory(blocks, {"sub": sub, "a": a}) == from_disk
    assert unixfs.add_directory(blocks, {"a": unixfs.link_of(blocks, a), "sub": tmp_path / "d" / "sub"}) == from_disk
    assert unixfs.resolve(blocks, from_disk, "sub/b") == unixfs.cid_of_bytes(b"B")
    assert [link.name for link in unixfs.ls(blocks, from_disk)] == ["a", "sub"]


def test_a_directory_of_an_id_that_is_not_held_is_refused() -> None:
    with pytest.raises(BlocksMissing, match=str(LEAF)):
        unixfs.add_directory(MemoryBlocks(), {"a": LEAF})


@pytest.mark.parametrize("kind", ["hidden", "link to a file", "link to a directory", "pipe", "control character"])
def test_a_directory_with_anything_but_plain_files_is_refused(kind: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside").write_bytes(b"secret")
    match kind:
        case "hidden":
            (root / ".env").write_bytes(b"secret")
        case "link to a file":
            (root / "link").symlink_to(tmp_path / "outside")
        case "link to a directory":
            (root / "link").symlink_to(tmp_path)
        case "pipe":
            os.mkfifo(root / "pipe")
        case _:
            (root / "a\x1b[2J").write_bytes(b"")
    blocks = MemoryBlocks()
    with pytest.raises(ContentMalformed):
        unixfs.add_directory(blocks, root)
    assert list(blocks.digests()) == []


def test_a_file_behind_a_link_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with pytest.raises(ContentMalformed, match="link"):
        unixfs.add_file(MemoryBlocks(), tmp_path / "link")


def test_a_directory_too_large_to_be_flat_is_refused() -> None:
    with pytest.raises(LimitExceeded, match="sub-directories"):
        unixfs.add_directory(MemoryBlocks(), {f"{i:0200}": b"" for i in range(1200)})


# --- dag-pb -----------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.binary(min_size=32, max_size=32), st.integers(0, 2**60)), min_size=1, max_size=9))
def test_nodes_round_trip(parts: list[tuple[bytes, int]]) -> None:
    links = tuple(Link(Cid(digest), size) for digest, size in parts)
    file = FileNode(links, tuple(size for _, size in parts))
    assert _dagpb.parse(_dagpb.encode(file)) == file


@given(st.binary(max_size=80))
def test_any_bytes_are_refused_or_canonical(data: bytes) -> None:
    try:
        assert _dagpb.encode(_dagpb.parse(data)) == data
    except ContentMalformed:
        return


FILE = _dagpb.encode(FileNode((Link(LEAF, 4),), (4,)))
LINK = FILE[:-8]  # the link field; the eight bytes behind it are the UnixFS data
LINK_BODY = b"\x0a\x24" + LEAF.binary + b"\x12\x00\x18\x04"
DIRECTORY = b"\x0a\x02\x08\x01"


@pytest.mark.parametrize(
    ("block", "why"),
    [
        (b"", "no data"),
        (FILE[:-1], "cut off"),
        (FILE + b"\x0a\x00", "data twice"),
        (DIRECTORY + LINK, "links behind data"),
        (b"\x0a\x82\x00\x08\x01", "a length longer than it need be"),
        (b"\x0a\x02\x08\x00", "raw node"),
        (b"\x0a\x02\x08\x03", "metadata"),
        (b"\x0a\x03\x08\x04\x12", "symlink, cut off"),
        (b"\x0a\x06\x08\x04\x12\x02..", "symlink"),
        (b"\x0a\x02\x08\x05", "sharded directory"),
        (b"\x0a\x02\x08\x09", "unknown type"),
        (b"\x0a\x00", "no type"),
        (b"\x0a\x04\x08\x02\x18\x00", "file without chunks"),
        (b"\x0a\x07\x08\x02\x12\x01x\x18\x01", "file with inline data"),
        (b"\x0a\x05\x08\x01\x38\xa4\x03", "directory with a mode"),
        (LINK + b"\x0a\x06\x08\x02\x18\x05\x20\x04", "total that is not the sum"),
        (LINK + b"\x0a\x04\x08\x02\x18\x00", "chunk without size"),
        (LINK + b"\x0a\x06\x18\x04\x08\x02\x20\x04", "fields out of order"),
        (b"\x12\x2c" + LINK_BODY[:-2] + b"\x18\x04\x18\x04"[:2] + b"\x20\x01" + FILE[-8:], "unknown link field"),
        (b"\x12\x28" + LINK_BODY[:40] + FILE[-8:], "link without size"),
        (b"\x12\x2b" + b"\x0a\x24" + LEAF.binary + b"\x12\x01x\x18\x04" + FILE[-8:], "chunk with a name"),
        (b"\x12\x2b" + b"\x0a\x24" + LEAF.binary + b"\x12\x01\xff\x18\x04" + DIRECTORY, "name that is not UTF-8"),
        (b"\x12\x28\x0a\x22\x12\x20" + LEAF.digest + b"\x12\x00\x18\x04" + FILE[-8:], "CIDv0 link"),
        (b"\x0d\x00\x00\x00\x00", "32-bit field"),
    ],
)
def test_nodes_that_the_profile_does_not_produce_are_refused(block: bytes, why: str) -> None:
    assert _dagpb.parse(FILE)
    with pytest.raises(ContentMalformed):
        _dagpb.parse(block)


def test_names_out_of_order_or_repeated_are_refused() -> None:
    links = Link(LEAF, 4, "a"), Link(LEAF, 4, "b")
    for wrong in (links[::-1], (links[0], links[0])):
        with pytest.raises(ContentMalformed, match="order"):
            _dagpb.parse(_dagpb.encode(DirectoryNode(wrong)))


# --- reading ----------------------------------------------------------------------------------------------------------


def test_a_file_is_read_chunk_by_chunk() -> None:
    blocks, data = MemoryBlocks(), os.urandom(2_500_000)
    cid = unixfs.add_bytes(blocks, data)
    chunks = list(unixfs.cat(blocks, cid, LIMITS))
    assert b"".join(chunks) == data == unixfs.read(blocks, cid, max_bytes=len(data))
    assert len(chunks) == 3
    assert unixfs.file_size(blocks, cid) == len(data)


def test_a_file_that_says_it_is_too_large_is_refused_before_its_chunks_are_read() -> None:
    blocks = MemoryBlocks()
    root = put(blocks, _dagpb.encode(FileNode((Link(LEAF, 1 << 50),), (1 << 50,))))
    with pytest.raises(LimitExceeded):
        unixfs.cat(blocks, root, LIMITS)


@pytest.mark.parametrize("claimed", [3, 5, 0])
def test_a_chunk_of_another_size_than_its_parent_says_is_refused(claimed: int) -> None:
    blocks = MemoryBlocks()
    leaf = put(blocks, b"leaf", RAW)
    root = put(blocks, _dagpb.encode(FileNode((Link(leaf, 4),), (claimed,))))
    with pytest.raises(ContentMalformed, match=f"says {claimed}"):
        unixfs.read(blocks, root, max_bytes=100)


def test_a_tree_of_shared_empty_nodes_does_not_unfold_without_end() -> None:
    blocks = MemoryBlocks()
    node = put(blocks, b"", RAW)
    for _ in range(10):  # 1024^10 visits
        node = put(blocks, _dagpb.encode(FileNode((Link(node, 0),) * 1024, (0,) * 1024)))
    with pytest.raises(LimitExceeded, match="blocks"):
        unixfs.read(blocks, node, max_bytes=100)


def test_a_chain_of_nodes_has_a_limited_depth() -> None:
    blocks = MemoryBlocks()
    node = put(blocks, b"leaf", RAW)
    for _ in range(40):
        node = put(blocks, _dagpb.encode(FileNode((Link(node, 4),), (4,))))
    with pytest.raises(LimitExceeded, match="deeper"):
        unixfs.read(blocks, node, max_bytes=100)


def test_a_file_is_no_directory_and_a_manifest_neither() -> None:
    blocks = MemoryBlocks()
    file, folder = unixfs.add_bytes(blocks, b"x"), unixfs.add_directory(blocks, {"a": b"x"})
    with pytest.raises(ContentMalformed, match="is a file"):
        unixfs.ls(blocks, file)
    with pytest.raises(ContentMalformed, match="is a directory"):
        unixfs.read(blocks, folder, max_bytes=100)
    with pytest.raises(ContentMalformed, match="no entry"):
        unixfs.resolve(blocks, folder, "b")
    with pytest.raises(ContentMalformed, match="not a file or directory"):
        unixfs.read(blocks, put(blocks, b"\xa0", DAG_CBOR), max_bytes=100)


def test_a_missing_chunk_is_named() -> None:
    blocks = MemoryBlocks()
    cid = unixfs.add_bytes(blocks, bytes(2_000_000))
    chunk = Cid.of(bytes(unixfs.CHUNK_BYTES))
    blocks.delete(chunk)
    with pytest.raises(BlocksMissing) as caught:
        unixfs.read(blocks, cid, max_bytes=2_000_000)
    assert caught.value.missing == (chunk,)


# --- export -----------------------------------------------------------------------------------------------------------


def test_a_directory_is_exported_as_it_was_imported(tmp_path: Path) -> None:
    blocks = MemoryBlocks()
    sub = unixfs.add_directory(blocks, {"絆": b"bond", "empty": b""})
    big = os.urandom(1_500_000)
    cid = unixfs.add_directory(blocks, {"sub": sub, "big": big})
    unixfs.export(blocks, cid, tmp_path / "new" / "out", limits=LIMITS)

    out = tmp_path / "new" / "out"
    assert unixfs.add_directory(MemoryBlocks(), out) == cid
    assert (out / "big").read_bytes() == big
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out"]


def test_a_file_is_exported_under_its_new_name(tmp_path: Path) -> None:
    blocks = MemoryBlocks()
    unixfs.export(blocks, unixfs.add_bytes(blocks, b"data"), tmp_path / "out", limits=LIMITS)
    assert (tmp_path / "out").read_bytes() == b"data"


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["..", "ok"], "'..'"),
        (["."], "'.'"),
        ([""], "''"),
        (["a/b"], "'a/b'"),
        (["/etc"], "'/etc'"),
        (["a\\b"], "'a"),
        (["a\0b"], "'a\\x00b'"),
        (["\x1b[2J"], "'\\x1b[2J'"),
        (["\x9b2J"], "'\\x9b2J'"),
        (["x" * 256], "255"),
        (["é" * 128], "255"),
        (["x" * 4096], "255"),
        (["README", "readme"], "'README' and 'readme'"),
        (["\u00e9", "e\u0301"], "one name"),
        (["stra\u00dfe", "STRASSE"], "one name"),
    ],
)
def test_doubtful_names_are_refused_named_and_leave_nothing_behind(
    names: list[str], shown: str, tmp_path: Path
) -> None:
    blocks = MemoryBlocks()
    bad = directory(blocks, *names)
    root = put(blocks, _dagpb.encode(DirectoryNode((Link(LEAF, 4, "good"), Link(bad, 4, "sub")))))
    put(blocks, b"leaf", RAW)
    parent = tmp_path / "parent"
    parent.mkdir()
    for cid in (bad, root):
        with pytest.raises(ContentMalformed) as caught:
            unixfs.export(blocks, cid, parent / "out", limits=LIMITS)
        assert shown in str(caught.value)
        assert str(caught.value).isprintable()
    with pytest.raises(ContentMalformed):
        unixfs.ls(blocks, bad)
    with pytest.raises(ContentMalformed):
        unixfs.add_directory(blocks, dict.fromkeys(names, b""))
    assert list(parent.iterdir()) == []
    assert list(tmp_path.iterdir()) == [parent]


def test_a_symlink_and_a_file_below_it_are_refused(tmp_path: Path) -> None:
    blocks = MemoryBlocks()
    outside = tmp_path / "outside"
    outside.mkdir()
    target = str(outside).encode()
    data = b"\x08\x04\x12" + bytes([len(target)]) + target
    link = put(blocks, b"\x0a" + bytes([len(data)]) + data)
    cid = put(blocks, _dagpb.encode(DirectoryNode((Link(link, 9, "way-out"),))))
    with pytest.raises(ContentMalformed, match="symlink"):
        unixfs.export(blocks, cid, tmp_path / "out", limits=LIMITS)
    assert list(tmp_path.iterdir()) == [outside]
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("kind", ["file", "directory", "link", "dangling link"])
def test_a_name_that_exists_is_never_written_to(kind: str, tmp_path: Path) -> None:
    blocks = MemoryBlocks()
    cid = unixfs.add_directory(blocks, {"a": b"x"})
    dest, outside = tmp_path / "dest", tmp_path / "outside"
    outside.mkdir()
    match kind:
        case "file":
            dest.write_bytes(b"old")
        case "directory":
            dest.mkdir()
            (dest / "a").symlink_to(outside / "a")
        case "link":
            dest.symlink_to(outside)
        case _:
            dest.symlink_to(tmp_path / "nowhere")
    with pytest.raises(StoreError, match="exists"):
        unixfs.export(blocks, cid, dest, limits=LIMITS)
    assert list(outside.iterdir()) == []
    assert not (tmp_path / "nowhere").exists()


def test_an_incomplete_or_too_large_directory_leaves_nothing(tmp_path: Path) -> None:
    blocks = MemoryBlocks()
    cid = unixfs.add_directory(blocks, {"a": b"1234", "b": b"5678"})
    with pytest.raises(LimitExceeded):
        unixfs.export(blocks, cid, tmp_path / "out", limits=Limits(max_bytes=7))
    blocks.delete(Cid.of(b"1234"))
    with pytest.raises(BlocksMissing):
        unixfs.export(blocks, cid, tmp_path / "out", limits=LIMITS)
    assert list(tmp_path.iterdir()) == []


def test_paths_that_are_too_long_in_all_are_refused(tmp_path: Path) -> None:
    blocks = MemoryBlocks()
    cid = unixfs.add_bytes(blocks, b"x")
    for _ in range(10):
        cid = unixfs.add_directory(blocks, {"d" * 250: cid})
    with pytest.raises(ContentMalformed, match="longer than 2048"):
        unixfs.export(blocks, cid, tmp_path / "out", limits=LIMITS)
    assert list(tmp_path.iterdir()) == []
