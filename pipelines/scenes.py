"""Which files form a pansharpening scene: one PAN, and one MS file or several band files.

Two files given outright are PAN and MS in this order, as with `gdal_pansharpen`. In a folder the
roles are read from the names: a token such as `pan`, `ms`, `mul` or, as Landsat writes them,
`B8` beside `B2 … B7`. What is left of the name without the token, with its folder, is the scene.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from resattn.errors import UserError
from resattn.pipelines.sources import Source

PAN_PATTERN = r"(?:^|(?<=[_\-. ]))(?:pan|panchromatic|b0?8)(?=[_\-. ]|$)"
MS_PATTERN = r"(?:^|(?<=[_\-. ]))(?:ms|mss|mul|multi|multispectral|xs|b0?[2-7])(?=[_\-. ]|$)"
RASTER_SUFFIXES = (".tif", ".tiff", ".jp2", ".img", ".png")


@dataclass(frozen=True, slots=True)
class Scene:
    """The files of one scene.

    Attributes:
        name: Path below the input root without suffix and role token.
        pan: The panchromatic file.
        ms: The multispectral file, or one file per band in band order.
    """

    name: str
    pan: Path
    ms: tuple[Path, ...]


def find_scenes(
    sources: Sequence[Source], *, pan_pattern: str = "", ms_pattern: str = ""
) -> list[Scene]:
    """The scenes formed by these files.

    Files named outright are one scene in the order given when only the first is named like a PAN,
    or when the names say nothing. A line of a list gives PAN and MS in its columns.

    Raises:
        UserError: A pattern does not compile, no scene is complete, or one has two PANs.
    """
    listed = [source for source in sources if source.extra]
    loose = [source for source in sources if not source.extra]
    scenes = [Scene(s.name, s.path, s.extra) for s in listed]
    if loose:
        pan, ms = _compile(pan_pattern or PAN_PATTERN), _compile(ms_pattern or MS_PATTERN)
        ordered = _is_ordered(loose, pan)
        scenes += ([] if ordered else _pair_by_name(loose, pan, ms)) or _pair_by_order(loose)
    return scenes


def _is_ordered(sources: Sequence[Source], pan: re.Pattern[str]) -> bool:
    """Whether the user wrote one PAN and then its MS files, in the band order that is wanted."""
    like_pan = [pan.search(source.path.stem) is not None for source in sources]
    return all(source.named for source in sources) and like_pan[0] and sum(like_pan) == 1


def _compile(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise UserError(
            f"pattern {pattern!r}: {error}", "mend the expression", code="E206"
        ) from error


def _pair_by_name(
    sources: Sequence[Source], pan_pattern: re.Pattern[str], ms_pattern: re.Pattern[str]
) -> list[Scene]:
    pans: dict[str, Path] = {}
    bands: dict[str, list[Path]] = {}
    for source in sources:
        if source.path.suffix.lower() not in RASTER_SUFFIXES:
            continue
        folder, _, stem = source.name.rpartition("/")
        for pattern, is_pan in ((pan_pattern, True), (ms_pattern, False)):
            if not pattern.search(stem):
                continue
            rest = re.sub(r"[_\-. ]+$|^[_\-. ]+", "", pattern.sub("", stem, count=1))
            key = f"{source.root}\0{folder}\0{rest}"
            if is_pan and key in pans:
                raise UserError(
                    f"two panchromatic files for one scene: {pans[key]} and {source.path}",
                    "rename one or narrow --pan-pattern",
                    code="E211",
                )
            if is_pan:
                pans[key] = source.path
            else:
                bands.setdefault(key, []).append(source.path)
            break
    return [
        Scene(_scene_name(key, pan), pan, _in_band_order(bands[key]))
        for key, pan in pans.items()
        if key in bands
    ]


def _scene_name(key: str, pan: Path) -> str:
    _, folder, rest = key.split("\0")
    # `pan.tif` beside `ms.tif`: the folder is the scene.
    name = rest or (Path(folder).name if folder else pan.parent.name)
    parent = folder if rest else str(Path(folder).parent) if folder else ""
    return f"{parent}/{name}" if parent not in ("", ".") else name


def _in_band_order(paths: Sequence[Path]) -> tuple[Path, ...]:
    # B2 before B10: by the number, where there is one.
    def key(path: Path) -> tuple[int, str]:
        number = re.search(r"b(\d+)(?=[_\-. ]|$)", path.stem, re.IGNORECASE)
        return (int(number[1]) if number else 0, path.name)

    return tuple(sorted(paths, key=key))


def _pair_by_order(sources: Sequence[Source]) -> list[Scene]:
    if len(sources) < 2 or not all(source.named for source in sources):
        names = ", ".join(source.path.name for source in sources[:4])
        raise UserError(
            f"no PAN with its MS among {len(sources)} files ({names})",
            "name PAN and MS files outright, or set --pan-pattern and --ms-pattern",
            code="E211",
        )
    pan, *ms = sources
    return [Scene(pan.name, pan.path, tuple(source.path for source in ms))]
