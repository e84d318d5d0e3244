"""Files changed at random: a bounded number by default, RESATTN_FUZZ of each kind on demand."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from resattn.errors import ResattnError

_ASKED = int(os.environ.get("RESATTN_FUZZ", "0"))
INTERESTING = np.array([0, 1, 127, 128, 255], np.uint8)
_VALUES = (
    b"NaN", b"Infinity", b"-1", b"0", b"1e999", b"-0.0", b"9" * 400, b"null", b"true", b'""',
    b"[]", b"{}", b"[[[[", b'"\\ud800"', b'"../x"', b'"\\u0000"', b"1.5", b'"text"',
)  # fmt: skip
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null')


def how_many(by_default: int) -> int:
    """Mutants of one kind."""
    return _ASKED or by_default


def mutant(data: bytes, random: np.random.Generator) -> bytes:
    """The file with a few bytes changed, a piece repeated or left out, or its end cut."""
    changed = np.frombuffer(data, np.uint8).copy()
    places = random.integers(0, len(changed), random.integers(1, 9))
    kind = random.integers(5)
    if kind == 0:
        changed[places] ^= np.uint8(1) << random.integers(0, 8, len(places)).astype(np.uint8)
    elif kind == 1:
        changed[places] = random.choice(INTERESTING, len(places))
    elif kind == 2:
        start, stop = sorted((int(places[0]), int(places[-1])))
        changed = np.concatenate([changed[:stop], changed[start:]])
    elif kind == 3:
        start, stop = sorted((int(places[0]), int(places[-1])))
        changed = np.concatenate([changed[:start], changed[stop:]])
    else:
        head = random.integers(4, min(64, len(changed)) + 1)  # headers are where parsers live
        changed[random.integers(4, head + 1, 2) - 1] = random.choice(INTERESTING, 2)
    return changed.tobytes()


def text_mutant(data: bytes, random: np.random.Generator) -> bytes:
    """The text with values replaced by odd ones, keys exchanged, or changed as any file."""
    tokens = list(_TOKEN.finditer(data))
    if not tokens or random.integers(4) == 0:
        return mutant(data, random)
    out = data
    for _ in range(int(random.integers(1, 3))):
        token = tokens[int(random.integers(len(tokens)))]
        other = tokens[int(random.integers(len(tokens)))][0]
        value = other if random.integers(3) == 0 else _VALUES[int(random.integers(len(_VALUES)))]
        out = out[: token.start()] + value + out[token.end() :]
        tokens = list(_TOKEN.finditer(out)) or tokens
        if tokens[-1].end() > len(out):
            break
    return out


def read_or_refused(
    seeds: Sequence[bytes],
    count: int,
    read: Callable[[bytes], object],
    change: Callable[[bytes, np.random.Generator], bytes],
    kept: Path,
) -> int:
    """How many of `count` mutants were refused; any other error ends the test and keeps its file.

    Args:
        seeds: Sound files.
        count: Mutants in all.
        read: Reads a file, or raises a `ResattnError`.
        change: Makes a mutant.
        kept: Where the mutant is kept that fails the test.
    """
    random, refused = np.random.default_rng(0), 0
    for number in range(count):
        data = change(seeds[number % len(seeds)], random)
        try:
            read(data)
        except ResattnError:
            refused += 1
        except BaseException:
            kept.write_bytes(data)
            raise
    return refused
