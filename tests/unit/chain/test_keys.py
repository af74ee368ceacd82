"""Whether a key can sign is decided at once, without a terminal (entrius/allways#227)."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from kizuna.chain import devnet, keys
from kizuna.errors import KeyUnusable

PASSPHRASE = "correct horse"


@pytest.fixture(scope="module")
def signer() -> LocalAccount:
    return devnet.account("signer")


@pytest.fixture(scope="module")
def keystore(signer: LocalAccount, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A keystore with few rounds of its key derivation, so that tests are quick."""
    path = tmp_path_factory.mktemp("keys") / "key.json"
    path.write_text(json.dumps(Account.encrypt(signer.key, PASSPHRASE, kdf="pbkdf2", iterations=2)))
    return path


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(keys.KEY_VARIABLE, raising=False)
    monkeypatch.delenv(keys.PASSPHRASE_VARIABLE, raising=False)


def test_plain_key_needs_no_passphrase(signer: LocalAccount, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(signer.key.hex() + "\n")
    assert keys.load(signer.key.hex()).address == signer.address
    assert keys.load("0x" + signer.key.hex().removeprefix("0x")).address == signer.address
    assert keys.load(path).address == signer.address


def test_key_comes_from_the_environment(signer: LocalAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(keys.KEY_VARIABLE, signer.key.hex())
    assert keys.load().address == signer.address


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_newline_at_the_end_of_a_passphrase_file_does_not_count(
    keystore: Path, signer: LocalAccount, tmp_path: Path, ending: str
) -> None:
    secret = tmp_path / "passphrase"
    secret.write_bytes((PASSPHRASE + ending).encode())
    assert keys.load(keystore, passphrase_file=secret).address == signer.address


def test_passphrase_comes_from_the_environment(
    keystore: Path, signer: LocalAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(keys.PASSPHRASE_VARIABLE, PASSPHRASE)
    assert keys.load(keystore).address == signer.address


def test_saved_key_opens_again_and_is_private(signer: LocalAccount, tmp_path: Path) -> None:
    path, secret = tmp_path / "new" / "key.json", tmp_path / "passphrase"
    keys.save(signer, path, passphrase=PASSPHRASE)
    secret.write_text(PASSPHRASE)
    assert keys.load(path, passphrase_file=secret).address == signer.address
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        keys.save(signer, path, passphrase=PASSPHRASE)


def test_missing_passphrase_is_refused_at_once(keystore: Path) -> None:
    with pytest.raises(KeyUnusable, match="--passphrase-file"):
        keys.load(keystore)


def test_wrong_passphrase_is_refused(keystore: Path, tmp_path: Path) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("wrong")
    with pytest.raises(KeyUnusable, match="does not open"):
        keys.load(keystore, passphrase_file=secret)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"not a key", b"\xff\xfe", b'{"crypto": 1}', b'{"crypto": {}, "version": 3}', b"0" * 70_000, b"[1]"],
)
def test_file_that_is_no_key_is_refused_in_one_line(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(keys.PASSPHRASE_VARIABLE, PASSPHRASE)
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(KeyUnusable) as caught:
        keys.load(path)
    assert "\n" not in str(caught.value)


def test_no_key_at_all_says_what_to_pass() -> None:
    with pytest.raises(KeyUnusable, match="--key"):
        keys.load()


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable, match="nowhere"):
        keys.load(tmp_path / "nowhere")


@pytest.mark.parametrize("mistyped", ["0x" + "ab" * 31 + "c", "ab" * 31 + "zz", "ab" * 33])
def test_mistyped_key_is_refused_without_being_shown(mistyped: str) -> None:
    with pytest.raises(KeyUnusable, match="neither 64 hex digits nor the path of a file") as caught:
        keys.load(mistyped)
    assert mistyped not in str(caught.value)


def test_zero_is_no_key() -> None:
    with pytest.raises(KeyUnusable):
        keys.load("0" * 64)


def test_nothing_is_asked_without_a_terminal(keystore: Path) -> None:
    program = f"from pathlib import Path; from kizuna.chain import keys; keys.load(Path({str(keystore)!r}))"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KIZUNA_")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
    )
    assert done.returncode != 0
    assert "KeyUnusable" in done.stderr
