"""The trustless gateway: formats, headers, ranges, archives. Ported from the specification's own wording."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from kizuna.store import DAG_CBOR, DAG_PB, Cid, FlatFs, MemoryBlocks, _dagpb, _varint, dag, dagcbor, unixfs
from kizuna.store._dagpb import FileNode, Link
from kizuna.store.gateway import Gateway

RAW_TYPE = "application/vnd.ipld.raw"
CAR_TYPE = "application/vnd.ipld.car"
LEAVES = [bytes([i]) * 10 for i in range(5)]
BLOCK = b"0123456789"
ABSENT = Cid.of(b"absent")


class Content:
    """One of each kind: a block, an empty one, a file of five chunks, a directory, a manifest, one with a hole."""

    def __init__(self) -> None:
        self.blocks = MemoryBlocks()
        self.raw = unixfs.add_bytes(self.blocks, BLOCK)
        self.empty = unixfs.add_bytes(self.blocks, b"")
        leaves = [unixfs.link_of(self.blocks, unixfs.add_bytes(self.blocks, leaf)) for leaf in LEAVES]
        self.leaves = [link.cid for link in leaves]
        self.file = self.put(_dagpb.encode(FileNode(tuple(leaves), (10,) * 5)), DAG_PB)
        self.directory = unixfs.add_directory(self.blocks, {"file": self.file, "same": self.file, "raw": self.raw})
        self.manifest = self.put(dagcbor.encode({"d": self.directory}), DAG_CBOR)
        self.holed = self.put(_dagpb.encode(FileNode((leaves[0], Link(ABSENT, 6)), (10, 6))), DAG_PB)
        self.malformed = self.put(b"\x0a\x02\x08\x05", DAG_PB)

    def put(self, block: bytes, codec: int) -> Cid:
        cid = Cid.of(block, codec)
        self.blocks.put(cid, block)
        return cid


@pytest.fixture(scope="module")
def content() -> Content:
    return Content()


@pytest.fixture(scope="module")
def client(content: Content) -> Iterator[httpx.Client]:
    with Gateway(content.blocks) as gateway, httpx.Client(base_url=gateway.url, trust_env=False) as client:
        yield client


def raw(client: httpx.Client, cid: Cid, method: str = "GET", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.request(method, f"/ipfs/{cid}?format=raw", headers=named)


def read_car(data: bytes) -> tuple[list[Cid], list[Cid]]:
    """Roots and ids of an archive whose every block has been verified."""
    at, sections = 0, []
    while at < len(data):
        length, at = _varint.decode(data, at)
        sections.append(data[at : at + length])
        at += length
    header: Any = dagcbor.decode(sections[0])
    assert header["version"] == 1
    for section in sections[1:]:
        Cid.parse(section[:36]).check(section[36:])
    return header["roots"], [Cid.parse(section[:36]) for section in sections[1:]]


def car(client: httpx.Client, cid: Cid, query: str = "") -> list[Cid]:
    response = client.get(f"/ipfs/{cid}?format=car{query}")
    assert response.status_code == 200, response.text
    roots, ids = read_car(response.content)
    assert roots == [cid]
    return ids


# --- raw blocks -------------------------------------------------------------------------------------------------------


def test_a_block_comes_with_the_headers_the_specification_asks_for(client: httpx.Client, content: Content) -> None:
    response = raw(client, content.raw)
    assert (response.status_code, response.content) == (200, BLOCK)
    assert response.headers["content-type"] == RAW_TYPE
    assert response.headers["content-length"] == "10"
    assert response.headers["etag"] == f'"{content.raw}.raw"'
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in response.headers["cache-control"]
    assert response.headers["content-disposition"] == f'attachment; filename="{content.raw}.bin"'
    assert response.headers["x-ipfs-path"] == f"/ipfs/{content.raw}"
    assert response.headers["x-ipfs-roots"] == str(content.raw)


def test_blocks_of_every_codec_are_served(client: httpx.Client, content: Content) -> None:
    for cid in (content.empty, content.file, content.directory, content.manifest):
        assert raw(client, cid).content == content.blocks.get(cid)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (RAW_TYPE, RAW_TYPE),
        (CAR_TYPE, CAR_TYPE),
        (f"{CAR_TYPE};version=1;order=dfs;dups=n", CAR_TYPE),
        (f"{CAR_TYPE}; version=1; order=unk; dups=y", CAR_TYPE),
        (f"{CAR_TYPE.upper()} ; version=1", CAR_TYPE),
        (f"text/html, {RAW_TYPE};q=0.5, {CAR_TYPE};q=0.9, */*;q=0.1", CAR_TYPE),
        (f"{CAR_TYPE};version=2, {RAW_TYPE};q=0.1", RAW_TYPE),
        (f"{CAR_TYPE};q=0, {RAW_TYPE}", RAW_TYPE),
        (f"{CAR_TYPE};q=much, {RAW_TYPE};q=nan, {RAW_TYPE}", RAW_TYPE),
    ],
)
def test_the_accept_header_picks_the_format(client: httpx.Client, content: Content, accept: str, kind: str) -> None:
    response = client.get(f"/ipfs/{content.file}", headers={"Accept": accept})
    assert response.status_code == 200
    assert response.headers["content-type"].split(";")[0] == kind
    assert "accept" in response.headers["vary"].lower()


def test_the_query_wins_over_the_header(client: httpx.Client, content: Content) -> None:
    response = client.get(f"/ipfs/{content.raw}?format=raw", headers={"Accept": CAR_TYPE})
    assert response.headers["content-type"] == RAW_TYPE


@pytest.mark.parametrize(
    ("path", "accept", "status"),
    [
        ("/ipfs/{raw}", "text/html", 406),
        ("/ipfs/{raw}", "*/*", 406),
        ("/ipfs/{raw}", f"{CAR_TYPE};version=2", 406),
        ("/ipfs/{raw}?format=tar", RAW_TYPE, 400),
        ("/ipfs/{raw}?format=", RAW_TYPE, 400),
        ("/ipfs/{raw}?format=car&car-version=2", "", 400),
        ("/ipfs/{raw}?format=car&dag-scope=everything", "", 400),
        ("/ipfs/{raw}?format=car&entity-bytes=5", "", 400),
        ("/ipfs/{raw}?format=car&entity-bytes=5:3", "", 400),
        ("/ipfs/{raw}?format=car&entity-bytes=-3:-5", "", 400),
        ("/ipfs/{raw}?format=car&entity-bytes=a:*", "", 400),
        ("/ipfs/{malformed}?format=car&dag-scope=entity", "", 400),
        ("/ipfs/nonsense?format=raw", "", 400),
        ("/ipfs/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG?format=raw", "", 400),
        ("/ipfs/bafkqaaa?format=raw", "", 400),
        ("/ipfs/%00%1b?format=raw", "", 400),
        ("/ipfs/" + "b" * 5000 + "?format=raw", "", 400),
        ("/ipfs/{raw}/name?format=raw", "", 404),
        ("/ipfs/{absent}?format=raw", "", 404),
        ("/ipfs/{absent}?format=car", "", 404),
        ("/ipns/{raw}?format=raw", "", 404),
        ("/", "", 404),
    ],
)
def test_other_requests_get_the_right_status(
    client: httpx.Client, content: Content, path: str, accept: str, status: int
) -> None:
    path = path.format(raw=content.raw, absent=ABSENT, malformed=content.malformed)
    for method in ("GET", "HEAD"):
        assert client.request(method, path, headers={"Accept": accept}).status_code == status


def test_nothing_can_be_written(client: httpx.Client, content: Content) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert client.request(method, f"/ipfs/{content.raw}?format=raw").status_code == 405


def test_health_is_reported(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("asked", "body", "where"),
    [
        ("bytes=0-0", b"0", "bytes 0-0/10"),
        ("bytes=9-9", b"9", "bytes 9-9/10"),
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=7-10", b"789", "bytes 7-9/10"),
        ("bytes=7-99999999999", b"789", "bytes 7-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=-99", BLOCK, "bytes 0-9/10"),
    ],
)
def test_a_range_of_a_block_is_served(
    client: httpx.Client, content: Content, asked: str, body: bytes, where: str
) -> None:
    response = raw(client, content.raw, Range=asked)
    assert (response.status_code, response.content, response.headers["content-range"]) == (206, body, where)


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=10-12", "bytes=-0", "bytes=999-"])
def test_a_range_behind_the_end_is_416(client: httpx.Client, content: Content, asked: str) -> None:
    response = raw(client, content.raw, Range=asked)
    assert (response.status_code, response.headers["content-range"]) == (416, "bytes */10")


def test_no_range_of_an_empty_block_can_be_had(client: httpx.Client, content: Content) -> None:
    assert raw(client, content.empty, Range="bytes=0-0").status_code == 416
    assert raw(client, content.empty).content == b""


@pytest.mark.parametrize("asked", ["bytes=0-1,4-5", "bytes=5-3", "bytes=-", "bytes=a-b", "lines=1-2", "bytes", ""])
def test_several_ranges_and_malformed_ones_are_ignored(client: httpx.Client, content: Content, asked: str) -> None:
    response = raw(client, content.raw, Range=asked)
    assert (response.status_code, response.content) == (200, BLOCK)


def test_a_range_for_another_version_is_ignored(client: httpx.Client, content: Content) -> None:
    assert raw(client, content.raw, Range="bytes=0-0", If_Range='"other"').status_code == 200
    assert raw(client, content.raw, Range="bytes=0-0", If_Range=f'"{content.raw}.raw"').status_code == 206


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ('"{cid}.raw"', 304),
        ('W/"{cid}.raw"', 304),
        ('"other", W/"{cid}.raw"', 304),
        ("*", 304),
        ("", 200),
        ('"{cid}"', 200),
        ('"{cid}.car"', 200),
        ("{cid}.raw", 200),
    ],
)
def test_a_current_copy_is_not_sent_again(client: httpx.Client, content: Content, given: str, status: int) -> None:
    for method in ("GET", "HEAD"):
        response = raw(client, content.raw, method, If_None_Match=given.format(cid=content.raw))
        assert response.status_code == status
        assert response.headers["etag"] == f'"{content.raw}.raw"'


def test_tags_of_one_format_do_not_match_the_other_nor_an_absent_block(client: httpx.Client, content: Content) -> None:
    archive = client.head(f"/ipfs/{content.file}?format=car")
    tag = archive.headers["etag"]
    assert tag.startswith(f'W/"{content.file}.car.')
    assert raw(client, content.file, If_None_Match=tag).status_code == 200
    tags = {"If-None-Match": f'{tag}, "{content.file}.raw"'}
    assert client.get(f"/ipfs/{content.file}?format=car", headers=tags).status_code == 304
    assert client.get(f"/ipfs/{content.file}?format=car&dag-scope=block", headers=tags).status_code == 200
    assert raw(client, ABSENT, If_None_Match="*").status_code == 404


def test_head_says_what_get_would_and_sends_nothing(client: httpx.Client, content: Content) -> None:
    got, asked = raw(client, content.raw), raw(client, content.raw, "HEAD")
    skipped = {"date"}
    assert {k: v for k, v in asked.headers.items() if k not in skipped} == {
        k: v for k, v in got.headers.items() if k not in skipped
    }
    assert asked.content == b""
    archive = client.head(f"/ipfs/{content.file}?format=car")
    assert (archive.status_code, archive.content) == (200, b"")
    assert "content-length" not in archive.headers


# --- archives ---------------------------------------------------------------------------------------------------------


def test_an_archive_holds_the_whole_dag_depth_first_and_each_block_once(client: httpx.Client, content: Content) -> None:
    expected = [content.directory, content.file, *content.leaves, content.raw]
    assert car(client, content.directory) == car(client, content.directory, "&dag-scope=all") == expected
    assert car(client, content.manifest) == [content.manifest, *expected]
    response = client.get(f"/ipfs/{content.file}?format=car")
    assert response.headers["content-type"] == f"{CAR_TYPE}; version=1; order=dfs; dups=n"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-disposition"].endswith('.car"')


def test_scopes_cut_the_archive(client: httpx.Client, content: Content) -> None:
    for cid in (content.raw, content.file, content.directory, content.manifest):
        assert car(client, cid, "&dag-scope=block") == [cid]
    assert car(client, content.file, "&dag-scope=entity") == [content.file, *content.leaves]
    assert car(client, content.directory, "&dag-scope=entity") == [content.directory]
    assert car(client, content.manifest, "&dag-scope=entity") == [content.manifest]
    assert car(client, content.raw, "&dag-scope=entity") == [content.raw]


@pytest.mark.parametrize(
    ("span", "leaves"),
    [
        ("0:*", [0, 1, 2, 3, 4]),
        ("0:0", [0]),
        ("9:10", [0, 1]),
        ("10:19", [1]),
        ("49:50", [4]),
        ("49:*", [4]),
        ("50:*", []),
        ("99:200", []),
        ("-1:*", [4]),
        ("-15:-6", [3, 4]),
        ("-99:5", [0]),
        ("0:-99", []),
        ("25:-1", [2, 3, 4]),
        ("0:999999", [0, 1, 2, 3, 4]),
    ],
)
def test_a_byte_range_of_a_file_brings_the_blocks_that_hold_it(
    client: httpx.Client, content: Content, span: str, leaves: list[int]
) -> None:
    assert car(client, content.file, f"&entity-bytes={span}") == [content.file, *(content.leaves[i] for i in leaves)]


def test_a_byte_range_means_nothing_where_there_is_no_file(client: httpx.Client, content: Content) -> None:
    assert car(client, content.directory, "&entity-bytes=0:5") == [content.directory]
    assert car(client, content.raw, "&entity-bytes=99:*") == [content.raw]
    assert car(client, content.file, "&dag-scope=block&entity-bytes=0:5") == [content.file]


def test_an_archive_that_turns_out_incomplete_breaks_off(client: httpx.Client, content: Content) -> None:
    for query in ("format=car", "format=car&dag-scope=entity", "format=car&entity-bytes=0:*"):
        with pytest.raises(httpx.RemoteProtocolError):
            client.get(f"/ipfs/{content.holed}?{query}")
    assert car(client, content.holed, "&entity-bytes=0:3") == [content.holed, content.leaves[0]]


# --- the server -------------------------------------------------------------------------------------------------------


def test_a_damaged_block_is_never_served(tmp_path: Path) -> None:
    blocks = FlatFs(tmp_path / "blocks")
    cid = unixfs.add_directory(blocks, {"a": b"x"})
    with Gateway(blocks) as gateway, httpx.Client(base_url=gateway.url, trust_env=False) as client:
        assert raw(client, cid).status_code == 200
        blocks.path(cid).write_bytes(b"")
        assert raw(client, cid).status_code == 404
        assert raw(client, cid, If_None_Match="*").status_code == 404


def test_two_gateways_get_ports_of_their_own_and_a_closed_one_is_gone() -> None:
    with Gateway(MemoryBlocks()) as one, Gateway(MemoryBlocks()) as other:
        assert one.port != other.port
        assert httpx.get(f"{other.url}/healthz", trust_env=False).status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{one.url}/healthz", trust_env=False)


def test_no_more_connections_than_allowed_are_served() -> None:
    with Gateway(MemoryBlocks(), max_connections=2) as gateway:
        held = [http.client.HTTPConnection(gateway.host, gateway.port) for _ in range(3)]
        statuses = []
        for connection in held:  # kept open
            connection.request("GET", "/healthz")
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)
        for connection in held:
            connection.close()
    assert statuses[0] == 200
    assert statuses[-1] == 503


def test_the_archive_of_a_dag_equals_a_walk_of_it(client: httpx.Client, content: Content) -> None:
    assert car(client, content.manifest) == [cid for cid, _ in dag.walk(content.blocks, content.manifest)]
