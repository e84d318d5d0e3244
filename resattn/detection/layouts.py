"""Annotated pictures as people keep them in folders: COCO, VOC, YOLO, rasters with GeoJSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from resattn.detection import geojson
from resattn.detection.annotations import Annotations
from resattn.detection.coco import read_coco
from resattn.detection.picture import STREAMED
from resattn.detection.voc import read_voc
from resattn.detection.yolo import read_classes, read_yolo
from resattn.errors import ItemError, UserError
from resattn.io.ground import Ground
from resattn.io.image import SUFFIXES, read_image
from resattn.io.names import shown
from resattn.io.raster import open_raster
from resattn.io.sniff import Limits, identify

RASTER_SUFFIXES = (".tif", ".tiff", ".jp2")
_PICTURES = ("images", "JPEGImages", ".")


def read_pictures(path: Path) -> tuple[Annotations, dict[str, Path]]:
    """Annotations, and the file of each of their pictures by its name in them.

    Args:
        path: A COCO JSON beside its pictures or their folder ``images``; or a folder with one such
            JSON, with ``Annotations`` (VOC) and ``JPEGImages`` or ``images``, with ``labels``
            (YOLO) and ``images``, or with ``truth`` (GeoJSON) and ``images``.

    Raises:
        UserError: E202 if there is nothing, E336 if it is none of these, E337 if a picture is
            missing.
        ItemError: As the readers of the formats say.
    """
    if path.is_file():
        return _coco(path)
    if not path.is_dir():
        raise UserError(f"{shown(path)} does not exist", "check the path", code="E202")
    for folder, read in _FOLDERS.items():
        if (path / folder).is_dir():
            return read(path)
    tables = sorted(path.glob("*.json"))
    if len(tables) == 1:
        return _coco(tables[0])
    raise UserError(
        f"{shown(path)} holds {len(tables)} JSON files and none of {', '.join(_FOLDERS)}",
        "name the COCO JSON, or a folder as docs/detect.md lists them",
        code="E336",
    )


def pictures_in(folder: Path) -> dict[str, Path]:
    """The pictures below a folder by their path in it, by suffix, in order."""
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in (*SUFFIXES, *RASTER_SUFFIXES) and not path.name.startswith(".")
    }


def picture_size(path: Path) -> tuple[int, int]:
    """Rows and columns of a picture when it stands upright.

    Raises:
        ItemError: As `resattn.io` says.
    """
    header = identify(path, Limits())
    if header.format in STREAMED:
        return header.height, header.width
    info = read_image(path).info
    return info.height, info.width


def _coco(path: Path) -> tuple[Annotations, dict[str, Path]]:
    found = read_coco(path)
    return found, _files(found, path, (path.parent, path.parent.parent))


def _voc(path: Path) -> tuple[Annotations, dict[str, Path]]:
    tables = sorted((path / "Annotations").glob("*.xml"))
    found = read_voc(tables)
    return found, _files(found, path / "Annotations", (path,))


def _yolo(path: Path) -> tuple[Annotations, dict[str, Path]]:
    files = pictures_in(path / "images")
    sizes = {name: picture_size(file) for name, file in files.items()}
    return read_yolo(sizes, path / "labels", read_classes(path)), files


def _truth(path: Path) -> tuple[Annotations, dict[str, Path]]:
    files = {Path(name).stem: file for name, file in pictures_in(path / "images").items()}
    tables = {table.stem: table for table in sorted((path / "truth").glob("*.geojson"))}
    found, used = [], {}
    for stem, table in tables.items():
        if stem not in files:
            raise _missing(table, stem, path / "images")
        with open_raster(files[stem]) as raster:
            size, ground = (raster.info.height, raster.info.width), Ground.of(raster.info)
        if ground is None:
            raise ItemError(
                f"{shown(files[stem].name)} has no georeference to place {table.name} by",
                "give boxes in pixels, or a GeoTIFF",
                code="E311",
            )
        name = files[stem].name
        found.append(geojson.read_geojson(table, name, size, ground))
        used[name] = files[stem]
    return geojson.gathered(found), used


_FOLDERS: Mapping[str, Callable[[Path], tuple[Annotations, dict[str, Path]]]] = {
    "Annotations": _voc,
    "labels": _yolo,
    "truth": _truth,
}


def _files(found: Annotations, source: Path, roots: tuple[Path, ...]) -> dict[str, Path]:
    """Where each picture lies: in one of `roots`, in its folder of pictures or directly."""
    places = [root / folder for root in roots for folder in _PICTURES]
    files = {}
    for picture in found.pictures:
        file = next((p / picture.name for p in places if (p / picture.name).is_file()), None)
        if file is None:
            raise _missing(source, picture.name, places[0])
        files[picture.name] = file
    return files


def _missing(source: Path, name: str, place: Path) -> UserError:
    return UserError(
        f"{shown(source)} speaks of {shown(name)}, which is not in {shown(place)}",
        "put the pictures there, or remove the entry",
        code="E337",
    )
