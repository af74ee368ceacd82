"""Keys, folders, ports and addresses that an operator may get wrong: refused by option, before anything is sent."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from eth_account import Account
from support.commands import Command

from kizuna.chain import Deployment, Devnet
from kizuna.state import hold

TINY = Path(__file__).resolve().parents[2] / "e2e" / "tiny.yaml"
MIRROR = "http://192.0.2.7:4001"
SIGNERS = ["deploy", "publish", "train", "verify"]
KEEPERS = ["publish", "mirror", "train", "verify"]
PASSPHRASE = "correct horse"


@pytest.fixture
def start(kizuna: Command, devnet_only: Devnet, deployment: Deployment, tmp_path: Path, key: str) -> Callable[..., str]:
    """Starts a job against the real chain; the line with which it refuses."""
    folder = tmp_path / "deployments"
    deployment.write(folder)
    shared: dict[str, object] = {"rpc": devnet_only.url, "deployments": folder}
    agent = {"task": 1, "state": tmp_path / "state", "mirror": MIRROR}
    more: dict[str, tuple[list[object], dict[str, object]]] = {
        "deploy": ([], {"key": key}),
        "mirror": ([], {"state": tmp_path / "state"}),
        "publish": ([TINY], {"key": key, "state": tmp_path / "state", "mirror": MIRROR}),
        "train": ([], agent | {"key": key}),
        "verify": ([], agent | {"key": key}),
        "devnet": ([], {"port": 0}),
    }

    def go(job: str, **options: object) -> str:
        arguments, usual = more[job]
        chain = {} if job == "devnet" else shared
        chosen = {name: value for name, value in (chain | usual | options).items() if value is not None}
        return kizuna(job, *arguments, **chosen).refusal

    return go


@pytest.fixture(scope="module")
def keystore(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "key.json"
    path.write_text(json.dumps(Account.encrypt("0x" + "77" * 32, PASSPHRASE, kdf="pbkdf2", iterations=2)))
    return path


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody else listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield int(listening.getsockname()[1])


@pytest.mark.parametrize("job", SIGNERS)
@pytest.mark.parametrize(
    ("key", "told"),
    [
        (None, "no key: pass --key FILE or set KIZUNA_KEY"),
        ("0x" + "00" * 32, "no valid secp256k1 key"),
        ("ff" * 32, "no valid secp256k1 key"),
        ("0x" + "ab" * 31, "neither 64 hex digits nor the path of a file"),
        ("nowhere.key", "nowhere.key cannot be read: No such file"),
        ("/", "cannot be read: Is a directory"),
    ],
)
def test_a_key_that_cannot_sign_is_refused(start: Callable[..., str], job: str, key: str | None, told: str) -> None:
    assert told in start(job, key=key)


@pytest.mark.parametrize("job", SIGNERS)
def test_a_keystore_that_does_not_open_is_refused(
    start: Callable[..., str], job: str, keystore: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "passphrase"
    wrong.write_text("wrong horse\n")
    assert "pass --passphrase-file FILE" in start(job, key=keystore)
    assert "the passphrase does not open" in start(job, key=keystore, passphrase_file=wrong)
    assert "nowhere cannot be read" in start(job, key=keystore, passphrase_file="nowhere")
    damaged = tmp_path / "damaged.json"
    damaged.write_text('{"crypto": 5}')
    assert "damaged keystore" in start(job, key=damaged, passphrase_file=wrong)


@pytest.mark.parametrize("job", KEEPERS)
def test_a_state_that_cannot_be_written_is_refused(start: Callable[..., str], job: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for folder in (file, file / "below", Path("/proc/nowhere")):
        assert f"--state {folder}:" in start(job, state=folder)


@pytest.mark.parametrize("job", KEEPERS)
def test_a_state_that_another_process_uses_is_refused(start: Callable[..., str], job: str, tmp_path: Path) -> None:
    with hold(tmp_path / "state"):
        assert "another process is using it" in start(job, state=tmp_path / "state")


@pytest.mark.parametrize("job", ["train", "verify"])
def test_a_state_of_another_operator_is_refused(start: Callable[..., str], job: str, tmp_path: Path) -> None:
    with hold(tmp_path / "state", operator="0xsomebody"):
        pass
    assert "belongs to 0xsomebody" in start(job, state=tmp_path / "state")


@pytest.mark.parametrize("file", ["blocks", "pins.sqlite", "mirror.sqlite"])
def test_a_state_with_something_else_in_it_is_refused(start: Callable[..., str], tmp_path: Path, file: str) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / file).write_text("something else " * 100)
    assert f"{tmp_path}/state/{file} is no usable" in start("mirror")


@pytest.mark.parametrize("job", ["deploy", "devnet"])
def test_deployments_that_cannot_be_written_are_refused_before_it_costs_gas(
    start: Callable[..., str], job: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    assert f"--deployments {tmp_path}/file/below:" in start(job, deployments=tmp_path / "file" / "below")


def test_an_account_that_cannot_pay_for_a_deployment_is_told_what_it_lacks(
    start: Callable[..., str], tmp_path: Path
) -> None:
    refusal = start("deploy", deployments=tmp_path / "new")
    assert "holds 0 wei and deploying may cost" in refusal
    assert not list((tmp_path / "new").iterdir())


def test_a_port_that_is_taken_is_refused(start: Callable[..., str], taken: int) -> None:
    assert "Address already in use" in start("mirror", port=taken)
    assert "Address already in use" in start("devnet", port=taken)


@pytest.mark.parametrize("host", ["nowhere.invalid", "192.0.2.1", "::zz"])
def test_a_host_that_is_not_this_machine_is_refused(start: Callable[..., str], host: str) -> None:
    assert f"--host {host}" in start("mirror", host=host)


def test_a_url_that_cannot_be_written_down_is_refused(start: Callable[..., str], tmp_path: Path) -> None:
    for path in (tmp_path / "none" / "url", tmp_path):
        assert f"--url-file {path}: " in start("mirror", url_file=path)


@pytest.mark.parametrize(
    ("job", "option", "value"),
    [
        ("devnet", "port", 70_000),
        ("devnet", "block-time", 0),
        ("devnet", "block-time", "nan"),
        ("devnet", "chain-id", 0),
        ("devnet", "chain-id", 10**20),
        ("mirror", "port", -1),
        ("mirror", "max-gigabytes", "inf"),
        ("mirror", "max-gigabytes", "nan"),
        ("train", "task", 0),
        ("verify", "task", -1),
        ("verify", "task", "one"),
        ("train", "mirror", "nonsense"),
        ("verify", "mirror", "ftp://x"),
        ("publish", "mirror", "nonsense"),
        ("train", "cheat", "sleep"),
        ("train", "listen", "nowhere"),
        ("train", "listen", "127.0.0.1:99999"),
        ("train", "listen", "0.0.0.0:4001"),
        ("train", "public-url", "ftp://trainer.example"),
        ("train", "public-url", "http://" + "a" * 256),
    ],
)
def test_a_value_out_of_range_is_refused_by_option(
    start: Callable[..., str], job: str, option: str, value: object
) -> None:
    refusal = start(job, **{option: value})
    assert option in refusal


def test_anvil_that_is_not_there_is_refused(start: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIZUNA_ANVIL", os.devnull + "/anvil")
    assert "KIZUNA_ANVIL" in start("devnet")


def test_a_kubo_node_that_is_not_there_is_refused(start: Callable[..., str]) -> None:
    pytest.importorskip("ipfshttpclient")
    assert "nonsense" in start("mirror", kubo="nonsense")
    assert "--kubo: Kubo at /ip4/127.0.0.1/tcp/9" in start("mirror", kubo="/ip4/127.0.0.1/tcp/9")
