"""Which names a directory may have: those that mean one file inside it on every operating system."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from kizuna.errors import ContentMalformed

MAX_NAME_BYTES = 255


def check_name(name: str) -> str:
    """The name itself; raises ContentMalformed if it could leave the directory, hide or confuse a terminal."""
    shown = ascii(name[:64])
    if name in ("", ".", ".."):
        raise ContentMalformed(f"directory entry {shown}: not a name")
    if any(char in "/\\" or unicodedata.category(char) in ("Cc", "Cs") for char in name):
        raise ContentMalformed(f"directory entry {shown}: has a separator or a control character")
    if len(name.encode()) > MAX_NAME_BYTES:
        raise ContentMalformed(f"directory entry {shown}...: longer than {MAX_NAME_BYTES} bytes")
    return name


def check_names(names: Iterable[str]) -> None:
    """Raise ContentMalformed for a bad name, or for two that some file system takes for one."""
    seen: dict[str, str] = {}
    for name in names:
        key = _folded(check_name(name))
        if key in seen:
            raise ContentMalformed(f"directory entries {seen[key]!a} and {name!a} are one name to some disks")
        seen[key] = name


def _folded(name: str) -> str:
    # Case-insensitive and Unicode-normalising disks (APFS, NTFS) would let one file overwrite the other.
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())
