from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kizuna import tensors
from kizuna.errors import ContentMalformed, LimitExceeded, StoreError

DTYPES = [np.int8, np.uint8, np.int32, np.int64, np.float32, np.float64]
LIMIT = 1 << 20
ARRAYS = st.sampled_from(DTYPES).flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0)))
NAMES = st.from_regex(r"[A-Za-z0-9_./-]{1,12}", fullmatch=True).filter(lambda name: name != "__metadata__")
FILES = st.dictionaries(NAMES, ARRAYS, max_size=5)
SAMPLE = tensors.dump({"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.arange(3, dtype=np.uint8)})


def file(header: Any, body: bytes = b"", *, pad: bool = True) -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % 8) if pad else b""
    return len(raw).to_bytes(8, "little") + raw + body


def entry(shape: list[Any], begin: Any, end: Any, dtype: Any = "U8") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@given(FILES, st.none() | st.just({"format": "pt"}))
def test_what_is_dumped_loads_back_and_opens_in_the_safetensors_package(
    held: dict[str, np.ndarray], metadata: dict[str, str] | None
) -> None:
    data = tensors.dump(held, metadata=metadata)
    loaded, foreign = tensors.load(data, max_bytes=LIMIT), safetensors.numpy.load(data)
    assert list(loaded) == sorted(held) and set(foreign) == set(held)
    for name, array in held.items():
        for other in (loaded[name], foreign[name]):
            assert other.dtype == array.dtype and other.shape == array.shape and other.tobytes() == array.tobytes()
    assert tensors.load_metadata(data) == metadata
    assert tensors.dump(loaded, metadata=metadata) == data


def test_a_model_saved_by_the_safetensors_package_is_already_canonical() -> None:
    model = {
        "model.b": np.ones((3, 5), np.float32),
        "model.a": np.zeros(7, np.float32),
        "lm_head": np.ones(1, np.float32),
    }
    saved = safetensors.numpy.save(model, metadata={"format": "pt"})
    assert saved == tensors.dump(model, metadata={"format": "pt"})


def test_byte_order_and_memory_layout_do_not_show_in_the_file() -> None:
    plain = np.arange(12, dtype="<f4").reshape(3, 4)
    for same in (plain.astype(">f4"), np.asfortranarray(plain), plain[:, ::-1][:, ::-1]):
        assert tensors.dump({"a": same}) == tensors.dump({"a": plain})


def test_loaded_arrays_are_aligned_and_writable() -> None:
    loaded = tensors.load(SAMPLE, max_bytes=LIMIT)
    assert loaded["b"].flags.aligned and loaded["b"].flags.writeable


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(7),
        bytes(8),
        SAMPLE[:-1],
        SAMPLE + b"\0",
        SAMPLE[:40],
        file(b"[]"),
        file(b"null"),
        file(b"{"),
        file(b"\xff\xfe"),
        file(b"[" * 100_000),
        file(b'{"a":' + b"9" * 5000 + b"}"),
        file({"a": None}),
        file({"a": []}),
        file({"a": {"dtype": "U8", "shape": [1]}}, b"x"),
        file({"a": {**entry([1], 0, 1), "more": 1}}, b"x"),
        file({"a": {"shape": [1], "dtype": "U8", "data_offsets": [0, 1]}}, b"x"),
        file({"a": entry([1], 0, 1, "BF16")}, b"x"),
        file({"a": entry([1], 0, 1, ["U8"])}, b"x"),
        file({"a": entry([1], 0, 2)}, b"xy"),
        file({"a": entry([2], 1, 3)}, b"xyz"),
        file({"a": entry([-1], 0, -1)}),
        file({"a": entry([True], 0, 1)}, b"x"),
        file({"a": entry([1.0], 0, 1)}, b"x"),
        file({"a": entry([1], 0.0, 1)}, b"x"),
        file({"a": entry([1], False, True)}, b"x"),
        file({"a": entry([1 << 60, 0], 0, 0)}),
        file({"a": entry([1] * 9, 0, 1)}, b"x"),
        file({"a": entry([1], 0, 1), "b": entry([1], 0, 1)}, b"x"),
        file({"a": entry([1], 0, 1), "b": entry([1], 2, 3)}, b"xyz"),
        file({"b": entry([1], 0, 1), "a": entry([1], 1, 2)}, b"xy"),
        file({"b": entry([1], 1, 2), "a": entry([1], 0, 1)}, b"xy"),
        file({"": entry([1], 0, 1)}, b"x"),
        file({"a b": entry([1], 0, 1)}, b"x"),
        file({"a": entry([1], 0, 1), "__metadata__": {}}, b"x"),
        file({"__metadata__": {"k": 1}}),
        file({"__metadata__": {"k": "\u00e9"}}),
        file({"__metadata__": {"b": "", "a": ""}}),
        file({"__metadata__": []}),
        file(b'{"a":%(one)s,"a":%(one)s}' % {b"one": json.dumps(entry([1], 0, 1)).encode()}, b"x"),
        file(b'{"a": {"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"x"),
        file(b'{"\\u0061":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"x"),
        file(b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}' + b" " * 11, b"x"),
        file(b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"x", pad=False),
        file(b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,1]}}', b"x"),
    ],
)  # fmt: skip
def test_anything_but_the_canonical_file_is_refused(data: bytes) -> None:
    with pytest.raises(ContentMalformed):
        tensors.load(data, max_bytes=LIMIT)


def test_sizes_are_limited_before_anything_is_parsed() -> None:
    with pytest.raises(LimitExceeded):
        tensors.load(SAMPLE, max_bytes=len(SAMPLE) - 1)
    with pytest.raises(LimitExceeded):
        tensors.load((1 << 63).to_bytes(8, "little") + bytes(100), max_bytes=LIMIT)


@pytest.mark.parametrize(
    "expect",
    [
        {},
        {"a": (np.uint8, (3,))},
        {"a": (np.uint8, (3,)), "b": (np.float32, (3, 2))},
        {"a": (np.int8, (3,)), "b": (np.float32, (2, 3))},
        {"a": (np.uint8, (3,)), "b": (np.float32, (2, 3)), "c": (np.int8, ())},
    ],
)
def test_other_tensors_than_expected_are_refused(expect: dict[str, Any]) -> None:
    with pytest.raises(ContentMalformed):
        tensors.load(SAMPLE, max_bytes=LIMIT, expect=expect)


def test_the_expected_tensors_are_accepted() -> None:
    expect = {"b": (np.dtype("float32"), (2, 3)), "a": (np.uint8, (3,))}
    assert set(tensors.load(SAMPLE, max_bytes=LIMIT, expect=expect)) == {"a", "b"}


@pytest.mark.parametrize(
    "held", [{"a": np.zeros(1, np.float16)}, {"a": np.zeros(1, object)}, {"\u00e9": np.zeros(1, np.int8)}]
)
def test_what_has_no_canonical_form_is_not_dumped(held: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError):
        tensors.dump(held)


@given(st.binary(max_size=200) | st.tuples(st.integers(0, len(SAMPLE) - 1), st.integers(1, 255)))
def test_damaged_files_never_crash_and_never_share_a_meaning(damage: bytes | tuple[int, int]) -> None:
    if isinstance(damage, bytes):
        data = len(damage).to_bytes(8, "little") + damage
    else:
        at, flip = damage
        data = SAMPLE[:at] + bytes([SAMPLE[at] ^ flip]) + SAMPLE[at + 1 :]
    try:
        loaded = tensors.load(data, max_bytes=LIMIT)
    except StoreError:
        return
    assert tensors.dump(loaded, metadata=tensors.load_metadata(data)) == data
