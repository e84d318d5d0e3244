"""Polygons as a GeoPackage 1.3, through the SQLite of the standard library.

OGC 12-128r17: a SQLite file with an application id, three tables that describe its layers, and a
table of features whose geometry is a short header before WKB.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS

from resattn.errors import OutputError
from resattn.io.atomic import StagedFile
from resattn.io.faultpoints import reach
from resattn.io.names import shown

_APPLICATION_ID: Final = 0x47504B47  # "GPKG"
_VERSION: Final = 10300
_OWN_SRS: Final = 100_000  # for a CRS that no authority numbers
_LITTLE_ENDIAN_XY_ENVELOPE: Final = 0b0000_0011
_NO_TIME: Final = "1970-01-01T00:00:00.000Z"  # so that the same objects give the same bytes
_TYPES: Final = {str: "TEXT", float: "REAL", int: "INTEGER"}

_SCHEMA: Final = """
CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER PRIMARY KEY,
  organization TEXT NOT NULL, organization_coordsys_id INTEGER NOT NULL,
  definition TEXT NOT NULL, description TEXT);
CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL,
  identifier TEXT UNIQUE, description TEXT DEFAULT '', last_change DATETIME NOT NULL,
  min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER,
  CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL,
  geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL, z TINYINT NOT NULL,
  m TINYINT NOT NULL, CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name),
  CONSTRAINT uk_gc_table_name UNIQUE (table_name),
  CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
  CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id));
"""

Column = Sequence[str] | Sequence[float] | Sequence[int]


@dataclass(frozen=True, slots=True)
class Layer:
    """A table of features: its name (letters, digits, underscores), CRS and description."""

    name: str
    crs: CRS
    description: str = ""


def write_polygons(
    target: Path,
    layer: Layer,
    rings: NDArray[np.float64],
    columns: Mapping[str, Column],
    *,
    overwrite: bool = False,
) -> None:
    """Write one layer of polygons, verified by reading it back.

    Args:
        target: The file to be made.
        layer: Its name, and the CRS of the coordinates.
        rings: Corners (n, k, 2), east first, not closed.
        columns: For each attribute its n values, of one type.
        overwrite: Replace the target if it exists.

    Raises:
        OutputError: E401–E404 as `resattn.io.atomic.StagedFile` says.
        ValueError: If a name is no identifier or a column has another length.
    """
    names = [layer.name, *columns]
    if not all(name.isidentifier() for name in names):
        raise ValueError(f"names of a table and its columns: {names}")
    if any(len(values) != len(rings) for values in columns.values()):
        raise ValueError(f"{len(rings)} polygons and columns of other lengths")
    with StagedFile(target, overwrite=overwrite) as staged, _reporting(target):
        reach("open")
        with closing(sqlite3.connect(staged.temporary)) as database:
            database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            database.execute(f"PRAGMA user_version = {_VERSION}")
            with database:
                database.executescript(_SCHEMA)
                reach("write")
                _describe(database, layer, rings)
                _fill(database, layer, rings, columns)
        reach("read")
        _verify(staged.temporary, layer.name, len(rings))


@contextmanager
def _reporting(target: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise OutputError(
            f"cannot write {shown(target)}: {error}",
            "free some space or choose another disk with -o",
            code="E401",
        ) from error


def _describe(database: sqlite3.Connection, layer: Layer, rings: NDArray[np.float64]) -> None:
    name, crs = layer.name, layer.crs
    srs_id = _srs_id(crs)
    wgs84 = CRS.from_epsg(4326)
    systems = [
        ("Undefined cartesian SRS", -1, "NONE", -1, "undefined", None),
        ("Undefined geographic SRS", 0, "NONE", 0, "undefined", None),
        ("WGS 84", 4326, "EPSG", 4326, wgs84.to_wkt(), None),
    ]
    if srs_id != 4326:
        authority = "NONE" if srs_id == _OWN_SRS else "EPSG"
        systems.append((crs.to_string()[:60], srs_id, authority, srs_id, crs.to_wkt(), None))
    database.executemany("INSERT INTO gpkg_spatial_ref_sys VALUES (?,?,?,?,?,?)", systems)
    low, high = _extent(rings)
    contents = (name, "features", name, layer.description, _NO_TIME, *low, *high, srs_id)
    database.execute("INSERT INTO gpkg_contents VALUES (?,?,?,?,?,?,?,?,?,?)", contents)
    geometry = (name, "geom", "POLYGON", srs_id, 0, 0)
    database.execute("INSERT INTO gpkg_geometry_columns VALUES (?,?,?,?,?,?)", geometry)


def _extent(rings: NDArray[np.float64]) -> tuple[list[float | None], list[float | None]]:
    if not len(rings):
        return [None, None], [None, None]
    points = rings.reshape(-1, 2)
    return points.min(axis=0).tolist(), points.max(axis=0).tolist()


def _fill(
    database: sqlite3.Connection,
    layer: Layer,
    rings: NDArray[np.float64],
    columns: Mapping[str, Column],
) -> None:
    kinds = [_TYPES[type(values[0])] if len(values) else "TEXT" for values in columns.values()]
    named = "".join(f", {name} {kind}" for name, kind in zip(columns, kinds, strict=True))
    database.execute(
        f"CREATE TABLE {layer.name} "
        f"(fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, geom POLYGON{named})"
    )
    marks = ",".join("?" * (len(columns) + 2))
    database.executemany(
        f"INSERT INTO {layer.name} VALUES ({marks})",  # noqa: S608 (the name is an identifier, checked above)
        zip(
            range(1, len(rings) + 1),
            _blobs(rings, _srs_id(layer.crs)),
            *columns.values(),
            strict=True,
        ),
    )


def _blobs(rings: NDArray[np.float64], srs_id: int) -> Iterator[bytes]:
    for ring in rings:
        (left, low), (right, high) = ring.min(axis=0), ring.max(axis=0)
        header = struct.pack("<2sBBi", b"GP", 0, _LITTLE_ENDIAN_XY_ENVELOPE, srs_id)
        envelope = struct.pack("<4d", left, right, low, high)
        closed = np.concatenate([ring, ring[:1]])
        polygon = struct.pack("<BIII", 1, 3, 1, len(closed)) + closed.astype("<f8").tobytes()
        yield header + envelope + polygon


def _srs_id(crs: CRS) -> int:
    number = crs.to_epsg()
    return _OWN_SRS if number is None else int(number)


def _verify(path: Path, layer: str, count: int) -> None:
    with closing(sqlite3.connect(path)) as database:
        (sound,) = database.execute("PRAGMA quick_check").fetchone()
        (rows,) = database.execute(f"SELECT count(*) FROM {layer}").fetchone()  # noqa: S608 (as above)
    if sound != "ok" or rows != count:
        raise OutputError(
            f"{shown(path)} did not read back as written",
            "check the disk and its free space",
            code="E401",
        )
