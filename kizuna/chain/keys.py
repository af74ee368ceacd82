"""Private keys: throw-away ones in plain hex, others in an encrypted JSON keystore. Never asks.

An agent runs without a terminal. Whether it can sign is decided once, at start, before it stakes or
commits anything; everything wrong ends in KeyUnusable with what to do about it.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount

from kizuna.errors import KeyUnusable

KEY_VARIABLE = "KIZUNA_KEY"
PASSPHRASE_VARIABLE = "KIZUNA_PASSPHRASE"
_HEX_KEY = re.compile(r"(0x)?[0-9a-fA-F]{64}")
_ALMOST = re.compile(r"0x[0-9a-zA-Z]*|[0-9a-zA-Z]{40,}")
_MAX_BYTES = 64 * 1024


def load(source: str | Path | None = None, *, passphrase_file: Path | None = None) -> LocalAccount:
    """The account of a key: 64 hex digits, or the path of a file with those or with a Web3 Secret Storage v3 keystore.

    Without `source` the environment variable KIZUNA_KEY is used. A keystore's passphrase comes from
    `passphrase_file` (a newline at its end does not count), else from KIZUNA_PASSPHRASE. Decrypts once;
    keep the account. Raises KeyUnusable.
    """
    text = str(source) if source is not None else os.environ.get(KEY_VARIABLE, "")
    if not text:
        raise KeyUnusable(f"no key: pass --key FILE or set {KEY_VARIABLE}")
    if _HEX_KEY.fullmatch(text):
        return _plain(text)
    if _ALMOST.fullmatch(text) and not Path(text).exists():  # not repeated: it may be a key with one digit wrong
        raise KeyUnusable("the key is neither 64 hex digits nor the path of a file")
    content = _read(Path(text), "key file").strip()
    if _HEX_KEY.fullmatch(content):
        return _plain(content)
    return _keystore(Path(text), content, passphrase_file)


def save(account: LocalAccount, path: Path, *, passphrase: str) -> None:
    """Writes an encrypted keystore that only the owner can read. Raises FileExistsError rather than overwrite a key."""
    content = json.dumps(Account.encrypt(account.key, passphrase))
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)


def _plain(text: str) -> LocalAccount:
    try:
        account: LocalAccount = Account.from_key(text if text.startswith("0x") else f"0x{text}")
    except ValueError:
        raise KeyUnusable("the key is no valid secp256k1 key") from None
    return account


def _keystore(path: Path, content: str, passphrase_file: Path | None) -> LocalAccount:
    try:
        keystore = json.loads(content)
        is_keystore = isinstance(keystore, dict) and "crypto" in {key.lower() for key in keystore}
    except ValueError:
        is_keystore = False
    if not is_keystore:
        raise KeyUnusable(f"{path} holds neither 64 hex digits nor a JSON keystore")
    passphrase = _passphrase(path, passphrase_file)
    try:
        account: LocalAccount = Account.from_key(Account.decrypt(keystore, passphrase))
    except ValueError:
        raise KeyUnusable(f"the passphrase does not open {path}") from None
    except (KeyError, TypeError, NotImplementedError) as error:
        raise KeyUnusable(f"{path} is a damaged keystore ({type(error).__name__})") from None
    return account


def _passphrase(path: Path, passphrase_file: Path | None) -> str:
    if passphrase_file is not None:
        return _read(passphrase_file, "passphrase file").removesuffix("\n").removesuffix("\r")
    passphrase = os.environ.get(PASSPHRASE_VARIABLE)
    if passphrase is None:
        raise KeyUnusable(f"{path} is encrypted: pass --passphrase-file FILE or set {PASSPHRASE_VARIABLE}")
    return passphrase


def _read(path: Path, what: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise KeyUnusable(f"the {what} {path} cannot be read: {error.strerror}") from None
    if len(content) > _MAX_BYTES:
        raise KeyUnusable(f"the {what} {path} is no {what}: larger than {_MAX_BYTES} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise KeyUnusable(f"the {what} {path} is no text") from None
