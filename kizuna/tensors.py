"""Safetensors in one canonical form, so that equal tensors are equal bytes and one content id.

Format: https://huggingface.co/docs/safetensors. Canonical here means: names sorted and stored in that
order without gaps, metadata (if any) first, compact JSON, header padded with spaces to 8 bytes,
little-endian values. Any reader of the format opens these files; only files in this form are read back.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from kizuna.errors import ContentMalformed, LimitExceeded

Array = np.ndarray[Any, np.dtype[Any]]
Expected = Mapping[str, tuple[Any, tuple[int, ...]]]
"""Name -> (dtype, shape) of every tensor that a file has to hold."""

MAX_HEADER_BYTES = 1 << 20
MAX_DIMENSIONS = 8
_DTYPES: dict[str, np.dtype[Any]] = {
    "I8": np.dtype("<i1"),
    "U8": np.dtype("<u1"),
    "I32": np.dtype("<i4"),
    "I64": np.dtype("<i8"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}
_NAMES: dict[np.dtype[Any], str] = {dtype: name for name, dtype in _DTYPES.items()}
_METADATA = "__metadata__"
_NAME = re.compile(r"[A-Za-z0-9_./-]{1,256}")
_METADATA_TEXT = re.compile(r"[ !#-\[\]-~]{0,256}")  # printable ASCII that JSON never escapes


def dump(tensors: Mapping[str, Array], *, metadata: Mapping[str, str] | None = None) -> bytes:
    """The canonical file. Raises ValueError for a dtype, name or metadata that the form does not know."""
    header: dict[str, Any] = {}
    bodies: list[bytes] = []
    offset = 0
    if metadata is not None:
        header[_METADATA] = _checked_metadata(dict(metadata))
    for name in sorted(tensors):
        array = tensors[name]
        dtype = array.dtype.newbyteorder("<")
        if dtype not in _NAMES or not _is_name(name) or array.ndim > MAX_DIMENSIONS:
            raise ValueError(f"tensor {name!r} of {array.dtype} has no canonical form")
        body = array.astype(dtype, copy=False).tobytes()
        header[name] = _entry(_NAMES[dtype], list(array.shape), offset, offset + len(body))
        offset += len(body)
        bodies.append(body)
    return b"".join([_header_bytes(header), *bodies])


def load(data: bytes, *, max_bytes: int, expect: Expected | None = None) -> dict[str, Array]:
    """The tensors of a canonical file, in name order, as writable aligned arrays.

    Raises LimitExceeded when the file or its header is too large, ContentMalformed when it is not
    the one canonical file for its tensors or when they differ from `expect`.
    """
    if len(data) > max_bytes:
        raise LimitExceeded(f"safetensors file of {len(data)} bytes; at most {max_bytes} are allowed")
    header, body_at = _read_header(data)
    if expect is not None:
        _check_expected(header, expect)
    tensors: dict[str, Array] = {}
    for name, entry in header.items():
        if name != _METADATA:
            begin, end = entry["data_offsets"]
            flat = np.frombuffer(data[body_at + begin : body_at + end], dtype=_DTYPES[entry["dtype"]])
            tensors[name] = flat.reshape(entry["shape"]).copy()
    return tensors


def load_metadata(data: bytes) -> dict[str, str] | None:
    """The metadata of a canonical file, None if it has none. Raises like `load`."""
    metadata: dict[str, str] | None = _read_header(data)[0].get(_METADATA)
    return metadata


def _read_header(data: bytes) -> tuple[dict[str, Any], int]:
    """The checked header and where the values start."""
    if len(data) < 8:
        raise ContentMalformed("safetensors file is shorter than its length field")
    size = int.from_bytes(data[:8], "little")
    if size > MAX_HEADER_BYTES:
        raise LimitExceeded(f"safetensors header of {size} bytes; at most {MAX_HEADER_BYTES} are allowed")
    if 8 + size > len(data):
        raise ContentMalformed("safetensors header is cut short")
    header = _parse_json(data[8 : 8 + size])
    offset = 0
    for name, entry in header.items():
        if name == _METADATA:
            _malformed_unless(isinstance(entry, dict), "metadata is not a map")
            _checked_metadata(entry, error=ContentMalformed)
        else:
            offset = _checked_entry(name, entry, offset)
    # One comparison settles order, spelling, padding, gaps and overlaps: only one header is right.
    canonical = {name: header[name] for name in sorted(header, key=lambda name: (name != _METADATA, name))}
    _malformed_unless(data[: 8 + size] == _header_bytes(canonical), "header is not canonical")
    _malformed_unless(len(data) == 8 + size + offset, "values do not fill the file")
    return header, 8 + size


def _parse_json(raw: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        _malformed_unless(len({key for key, _ in pairs}) == len(pairs), "duplicate key in header")
        return dict(pairs)

    try:
        header = json.loads(raw.decode("ascii"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise ContentMalformed("safetensors header is not JSON") from error
    if not isinstance(header, dict):
        raise ContentMalformed("safetensors header is not a map")
    return header


def _checked_entry(name: str, entry: Any, offset: int) -> int:
    """Checks one tensor's entry, which has to start at `offset`; returns where it ends."""
    _malformed_unless(_is_name(name), "tensor name is not canonical")
    known = isinstance(entry, dict) and set(entry) == {"dtype", "shape", "data_offsets"}
    _malformed_unless(known, f"entry of {name} is not a tensor")
    dtype, shape = entry["dtype"], entry["shape"]
    _malformed_unless(isinstance(dtype, str) and dtype in _DTYPES, f"dtype of {name} is not known")
    sane = isinstance(shape, list) and len(shape) <= MAX_DIMENSIONS
    sane = sane and all(type(size) is int and 0 <= size < 1 << 48 for size in shape)
    _malformed_unless(sane, f"shape of {name} is not sane")
    end: int = offset + math.prod(shape) * _DTYPES[dtype].itemsize
    _malformed_unless(entry["data_offsets"] == [offset, end], f"values of {name} leave a gap or overlap")
    entry["data_offsets"] = [offset, end]  # 0.0 and false are equal to 0, but not canonical
    return end


def _check_expected(header: Mapping[str, Any], expect: Expected) -> None:
    held = {name: (entry["dtype"], tuple(entry["shape"])) for name, entry in header.items() if name != _METADATA}
    wanted = {
        name: (_NAMES.get(np.dtype(dtype).newbyteorder("<")), tuple(shape)) for name, (dtype, shape) in expect.items()
    }
    if held != wanted:
        odd = sorted(name for name in held.keys() | wanted.keys() if held.get(name) != wanted.get(name))
        raise ContentMalformed(f"safetensors file does not hold what was expected: {', '.join(odd[:3])}")


def _checked_metadata(metadata: dict[str, Any], *, error: type[Exception] = ValueError) -> dict[str, str]:
    for pair in metadata.items():
        if not all(isinstance(text, str) and _METADATA_TEXT.fullmatch(text) for text in pair):
            raise error("metadata is not printable ASCII text")
    return {key: metadata[key] for key in sorted(metadata)}


def _entry(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def _header_bytes(header: Mapping[str, Any]) -> bytes:
    ordered = {
        name: dict(sorted(entry.items()))
        if name == _METADATA
        else _entry(entry["dtype"], entry["shape"], *entry["data_offsets"])
        for name, entry in header.items()
    }
    raw = json.dumps(ordered, separators=(",", ":")).encode("ascii")
    raw += b" " * (-len(raw) % 8)
    return len(raw).to_bytes(8, "little") + raw


def _is_name(name: str) -> bool:
    return name != _METADATA and _NAME.fullmatch(name) is not None


def _malformed_unless(condition: bool, what: str) -> None:
    if not condition:
        raise ContentMalformed(f"safetensors file: {what}")
