"""The fault classes and the goals by which tests are named: `test_f17_…`, `test_g8_…`.

A test that covers several is named `test_f1_f4_…`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

FAULTS = {
    "F1": "a truncated input",
    "F2": "a flipped bit in an input",
    "F3": "a damaged file of our own format",
    "F4": "an empty or mislabelled input",
    "F5": "a pixel bomb",
    "F6": "a huge claim in a small file",
    "F7": "tens of thousands of bands",
    "F8": "a text that inflates to gigabytes",
    "F9": "a virtual raster in disguise",
    "F10": "a name that leads to a network",
    "F11": "an image of one pixel, or smaller than any window",
    "F12": "NaN, infinity, nodata, nothing valid",
    "F13": "an unusual pixel format",
    "F14": "EXIF orientation",
    "F15": "an unusual layout or georeference",
    "F16": "two images that do not fit together",
    "F17": "a disk that fills",
    "F18": "an output that cannot be written",
    "F19": "an output that is an input",
    "F20": "an output that exists",
    "F21": "SIGINT and SIGTERM",
    "F22": "kill -9 at any moment",
    "F23": "memory that runs out",
    "F24": "an input that takes too long",
    "F25": "a worker that dies",
    "F26": "a hostile or damaged checkpoint",
    "F27": "an odd file name",
    "F28": "links, pipes, devices and folders instead of files",
    "F29": "a folder of 100 000 files",
    "F30": "two runs on one output",
    "F31": "a name inside a file that leads out of its folder",
    "F32": "hostile JSON",
    "F33": "locale, time zone, home, terminal",
    "F34": "the N-th outside call fails",
}

GOALS = {
    "G1": "772 odd images: no crash, none over 10 CPU s, the decisions on record",
    "G2": "0 silent truncations and flips where a checksum exists",
    "G3": "34 of 34 fault classes, 120 injections or more",
    "G4": "each outside call of each command fails once: clean, nothing lost",
    "G5": "mutated images, containers, weights and JSON: read or refused",
    "G6": "peak memory does not grow with the raster",
    "G7": "tiled equals whole, bit for bit",
    "G8": "kill -9: nothing lost, doubled, damaged or left over",
    "G9": "7 of 7 ways of writing notice a full disk",
    "G10": "exit within 2 s of a signal (p95)",
    "G11": "with less and less memory: the same bytes or E501",
    "G12": "the same SHA-256 for the same inputs and options",
    "G13": "no network call, no banned call, 25 hostile files refused",
    "G14": "classical pansharpening at 15 Mpx or more per CPU second",
    "G15": "resattn --help within 0.4 CPU s, without torch",
}


def named(test: str) -> set[str]:
    """The fault classes and goals in the name of a test."""
    head = re.match(r"test((?:_[fg]\d+)+)_", test)
    return {label.upper() for label in head[1].split("_") if label} if head else set()


def count(tests: Iterable[str]) -> dict[str, int]:
    """Cases by fault class and goal; a parametrised test has one case per set of parameters."""
    found = dict.fromkeys([*FAULTS, *GOALS], 0)
    for test in tests:
        for label in named(test):
            found[label] += 1
    return found
