"""Hashes against values from outside (FIPS 180-4's "abc") and against what must not matter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from resattn.hashing import array_sha256, canonical_json, file_sha256, json_sha256

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_file_hash_is_sha256(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert file_sha256(path) == ABC


def test_an_array_hash_ignores_strides_and_byte_order() -> None:
    array = np.arange(24, dtype="<u2").reshape(2, 3, 4)
    expected = array_sha256(array)
    assert array_sha256(np.asfortranarray(array)) == expected
    assert array_sha256(array.astype(">u2")) == expected
    assert array_sha256(array[:, ::-1][:, ::-1]) == expected


def test_an_array_hash_sees_type_shape_and_values() -> None:
    array = np.zeros((2, 3), np.uint8)
    changed = array.copy()
    changed[1, 2] = 1
    others = [changed, array.reshape(3, 2), array.astype(np.int8)]
    assert len({array_sha256(one) for one in [array, *others]}) == 4


def test_json_has_one_spelling() -> None:
    assert canonical_json({"b": "é", "a": 1.5}) == b'{"a":1.5,"b":"\\u00e9"}'
    assert json_sha256({"a": 1, "b": 2}) == json_sha256({"b": 2, "a": 1})
    assert json_sha256([1, 2]) != json_sha256([2, 1])


@pytest.mark.parametrize("value", [float("nan"), [float("inf")]])
def test_json_without_nan(value: object) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(value)
