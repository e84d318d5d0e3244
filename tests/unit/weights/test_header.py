"""Every hostile or damaged file is refused by its own code before a tensor is made."""

import json
import struct

import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from resattn.errors import WeightsError
from resattn.weights.header import parse

TENSORS = {
    "a.weight": torch.arange(6, dtype=torch.float32).reshape(2, 3),
    "b": torch.tensor(2.5, dtype=torch.float16),
    "none": torch.empty(0, 4),
}
GOOD = safetensors.torch.save(TENSORS, {"note": "x"})
SLOT = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


def file(header, body=b"\0" * 4):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def test_a_good_file_is_read_as_the_reference_library_reads_it():
    metadata, tensors = parse(GOOD, "f")
    expected = safetensors.torch.load(GOOD)
    assert metadata == {"note": "x"}
    assert tensors.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(tensors[name], value)
        assert tensors[name].dtype == value.dtype


@pytest.mark.parametrize("length", [640, 896, 1152, 1408])
def test_a_header_whose_length_begins_like_a_pickle_is_read(length):
    text = json.dumps({"a": SLOT}).encode()
    metadata, tensors = parse(file(text.ljust(length), b"\0" * 4), "f")
    assert metadata == {}
    assert tensors["a"].tolist() == [0]


HOSTILE = {
    "zip pickle": (b"PK\x03\x04" + GOOD, "E601"),
    "bare pickle": (b"\x80\x04\x95rest of it", "E601"),
    "empty": (b"", "E602"),
    "seven bytes": (b"\0" * 7, "E602"),
    "huge header": (struct.pack("<Q", 2**63) + b"{}", "E602"),
    "header longer than the file": (struct.pack("<Q", 99) + b"{}", "E602"),
    "header over the limit": (struct.pack("<Q", 17 << 20) + b" " * (18 << 20), "E602"),
    "not JSON": (file(b"{no"), "E602"),
    "not UTF-8": (file(b'{"\xff": 1}'), "E602"),
    "deep nesting": (file(b"[" * 100_000), "E602"),
    "a list": (file([1]), "E602"),
    "duplicate tensor": (
        file(f'{{"a": {json.dumps(SLOT)}, "a": {json.dumps(SLOT)}}}'.encode()),
        "E602",
    ),
    "overlap": (file({"a": SLOT, "b": SLOT}), "E602"),
    "hole": (file({"a": SLOT | {"data_offsets": [4, 8]}}, b"\0" * 8), "E602"),
    "trailing bytes": (file({"a": SLOT}, b"\0" * 9), "E602"),
    "beyond the end": (file({"a": SLOT | {"data_offsets": [0, 8], "shape": [2]}}), "E602"),
    "negative shape": (file({"a": SLOT | {"shape": [-1]}}), "E602"),
    "boolean shape": (file({"a": SLOT | {"shape": [True]}}), "E602"),
    "overflowing shape": (file({"a": SLOT | {"shape": [2**62, 2**62]}}), "E602"),
    "shape of another size": (file({"a": SLOT | {"shape": [2]}}), "E602"),
    "reversed offsets": (file({"a": SLOT | {"data_offsets": [4, 0]}}), "E602"),
    "three offsets": (file({"a": SLOT | {"data_offsets": [0, 4, 4]}}), "E602"),
    "unknown field": (file({"a": SLOT | {"code": "x"}}), "E602"),
    "missing field": (file({"a": {"dtype": "F32"}}), "E602"),
    "metadata not text": (file({"__metadata__": {"x": 1}, "a": SLOT}), "E602"),
    "unknown type": (file({"a": SLOT | {"dtype": "U4"}}), "E605"),
    "type not text": (file({"a": SLOT | {"dtype": ["F32"]}}), "E602"),
}


@pytest.mark.parametrize(("data", "code"), HOSTILE.values(), ids=HOSTILE.keys())
def test_f26_g13_hostile_files_are_refused_with_their_code(data, code):
    with pytest.raises(WeightsError) as caught:
        parse(data, "evil.safetensors")
    assert caught.value.code == code
    assert "evil.safetensors" in caught.value.message


@pytest.mark.parametrize("length", range(0, len(GOOD), 7))
def test_f26_every_truncation_is_refused(length):
    with pytest.raises(WeightsError) as caught:
        parse(GOOD[:length], "cut")
    assert caught.value.code == "E602"


@given(place=st.integers(0, len(GOOD) - 1), bit=st.integers(0, 7))
def test_f26_a_flipped_bit_is_refused_or_only_changes_what_it_holds(place, bit):
    damaged = bytearray(GOOD)
    damaged[place] ^= 1 << bit
    try:
        _, tensors = parse(bytes(damaged), "f")
    except WeightsError:
        return
    assert sum(t.numel() * t.itemsize for t in tensors.values()) == 26


def test_reading_leaves_the_bytes_alone():
    data = bytes(GOOD)
    _, tensors = parse(data, "f")
    tensors["a.weight"].zero_()
    assert data == GOOD
