"""RPCs and deployment files with which no command starts: one line names what is wrong, and nothing waits for ever."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from support.commands import Command
from support.nodes import Silent, answering, result

from kizuna.chain import Deployment, Devnet, Rpc, rpc
from kizuna.errors import RpcUnavailable

TINY = Path(__file__).resolve().parents[2] / "e2e" / "tiny.yaml"
MIRROR = "http://192.0.2.7:4001"
NOBODY = "http://127.0.0.1:9"
READERS = ["status", "mirror", "publish", "train", "verify"]
"""The jobs that need a chain with the contracts on it."""


@pytest.fixture
def start(kizuna: Command, tmp_path: Path, key: str) -> Callable[..., str]:
    """Starts a job in the way that its help says; the line with which it refuses."""
    more: dict[str, tuple[list[object], dict[str, object]]] = {
        "status": ([1], {}),
        "deploy": ([], {"key": key}),
        "mirror": ([], {"state": tmp_path / "state"}),
        "publish": ([TINY], {"key": key, "state": tmp_path / "state", "mirror": MIRROR}),
        "train": ([], {"task": 1, "key": key, "state": tmp_path / "state", "mirror": MIRROR}),
        "verify": ([], {"task": 1, "key": key, "state": tmp_path / "state", "mirror": MIRROR}),
    }

    def go(job: str, **options: object) -> str:
        arguments, usual = more[job]
        return kizuna(job, *arguments, **(usual | options)).refusal

    return go


@pytest.mark.parametrize("job", [*READERS, "deploy"])
def test_a_server_that_is_no_chain_is_refused(start: Callable[..., str], tmp_path: Path, job: str) -> None:
    with answering(result(None)) as url:
        assert "is its URL that of an RPC?" in start(job, rpc=url, deployments=tmp_path)


@pytest.mark.parametrize("job", READERS)
def test_a_chain_without_a_deployment_is_refused_with_where_to_get_one(
    start: Callable[..., str], tmp_path: Path, job: str
) -> None:
    with answering(result("0x5")) as url:
        refusal = start(job, rpc=url, deployments=tmp_path)
    assert f"{tmp_path}/5.json is missing: run `kizuna deploy`" in refusal


@pytest.mark.parametrize(
    "answer",
    [
        lambda number: b"<html>hello</html>",
        lambda number: b"",
        lambda number: b"[" * 100_000,
        lambda number: b'{"jsonrpc": "2.0", "id": 99, "result": "0x1"}',
        result("zz"),
        result([1]),
        result({"a": 1}),
    ],
)
def test_an_answer_that_is_no_chain_id_is_no_chain(answer: Callable[[object], bytes]) -> None:
    with answering(answer) as url, pytest.raises(RpcUnavailable, match="URL"):
        Rpc(url, attempts=1).chain_id()


@pytest.mark.parametrize(
    "url", [NOBODY, "nonsense", "http://", "http://[::1", "http://127.0.0.1:99999", "http://a..b", "ftp://x"]
)
def test_a_url_behind_which_nobody_is_is_named(url: str) -> None:
    with pytest.raises(RpcUnavailable) as caught:
        Rpc(url, attempts=1).chain_id()
    assert url in str(caught.value) and "is the node running, and the URL right?" in str(caught.value)


@pytest.mark.parametrize("job", ["status", "deploy"])
def test_a_node_that_is_down_is_refused_after_some_tries(start: Callable[..., str], tmp_path: Path, job: str) -> None:
    assert f"no answer to eth_chainId after 4 tries: {NOBODY}" in start(job, rpc=NOBODY, deployments=tmp_path)


def test_a_node_that_says_nothing_is_not_waited_for_long(
    start: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc, "_HELLO_S", 0.2)
    with Silent() as node:
        began = monotonic()
        assert node.url in start("status", rpc=node.url, deployments=tmp_path)
    assert monotonic() - began < 10


def changed(deployment: Deployment, folder: Path, change: Callable[[Any], Any]) -> Path:
    """A folder with the deployment's file after `change`."""
    path = deployment.write(folder)
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    return folder


def put(*keys: str, value: object) -> Callable[[Any], Any]:
    def change(content: Any) -> Any:
        place = content
        for name in keys[:-1]:
            place = place[name]
        place[keys[-1]] = value
        return content

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda content: [], "version: missing or of the wrong kind"),
        (put("version", value=9), "version: 9 is not 1"),
        (put("chainId", value=1), "chainId: 1 in the file of chain 31337"),
        (put("chainId", value="31337"), "chainId: '31337' is not a natural number"),
        (put("block", value=7), "block: missing or of the wrong kind"),
        (put("block", "number", value=10**40), "is not a natural number of 63 bits"),
        (put("block", "hash", value="0x1234"), "block: its hash has not 32 bytes"),
        (put("block", "hash", value="0x" + "00" * 32), "is of another chain with the same id 31337"),
        (put("contracts", value=[]), "contracts.Vault: missing or of the wrong kind"),
        (put("contracts", "Court", value=None), "contracts.Court.address: missing or of the wrong kind"),
        (put("contracts", "Rounds", "address", value="0x12"), "contracts.Rounds.address: not an address"),
        (put("contracts", "Rounds", "address", value="0x" + "11" * 20), "contracts.Rounds.address: there is no code"),
        (put("contracts", "Vault", "codeHash", value="0x00"), "contracts.Vault.codeHash: other code"),
        (put("contracts", "Vault", "abiHash", value="0x00"), "contracts.Vault.abiHash: this installation speaks"),
    ],
)
def test_a_deployment_file_that_does_not_fit_the_chain_is_refused_by_field(
    start: Callable[..., str],
    devnet_only: Devnet,
    deployment: Deployment,
    tmp_path: Path,
    change: Callable[[Any], Any],
    told: str,
) -> None:
    folder = changed(deployment, tmp_path / "deployments", change)
    assert told in start("status", rpc=devnet_only.url, deployments=folder)


def test_what_is_no_deployment_file_at_all_is_refused(
    start: Callable[..., str], devnet_only: Devnet, tmp_path: Path
) -> None:
    path = tmp_path / "31337.json"
    for content, told in ((b"{", "is not JSON"), (b"\xff", "is not JSON"), (b"[" * 100_000, "is not JSON")):
        path.write_bytes(content)
        assert told in start("status", rpc=devnet_only.url, deployments=tmp_path)
    path.unlink()
    path.mkdir()
    assert "Is a directory" in start("status", rpc=devnet_only.url, deployments=tmp_path)


@pytest.mark.parametrize("job", READERS)
def test_nothing_is_written_for_a_chain_that_is_none(start: Callable[..., str], tmp_path: Path, job: str) -> None:
    with answering(result(None)) as url:
        start(job, rpc=url, deployments=tmp_path / "deployments")
    assert not list((tmp_path / "state").glob("*.sqlite"))
