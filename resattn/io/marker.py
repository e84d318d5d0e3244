"""Printed square markers in photographs: where their corners are, to a fraction of a pixel.

The area of a wound hangs on the perspective of a marker a hundred pixels wide, so a tenth of a
pixel at a corner is a percent of area. The usual corner refinement is followed by an alignment of
the whole printed pattern, which every edge in it takes part in.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from resattn.io.image import opencv

Points = NDArray[np.float64]
Grey = NDArray[np.uint8]

CELLS: Final = 6
"""Cells along a side of a 4 x 4 marker with its black border."""
_QUIET: Final = 1  # cells of white paper around it that the alignment may use
_ROUNDS: Final = 60
_LEAST_GAIN: Final = 1e-6

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Marker:
    """A marker found in a photograph.

    Attributes:
        number: Its number in the dictionary of 50 markers with 4 x 4 cells.
        corners: (4, 2) as x, y in pixels, clockwise from the pattern's top left; the centre of
            the first pixel of the photograph is at (0.5, 0.5).
        aligned: Whether the whole pattern was aligned, or only the corners refined.
    """

    number: int
    corners: Points
    aligned: bool


def find_markers(photo: NDArray[np.uint8]) -> list[Marker]:
    """Every marker of the 4 x 4, 50 numbers dictionary in a photograph (3, H, W), largest first.

    Raises:
        UserError: E202 if OpenCV cannot be loaded.
    """
    cv2 = opencv()
    grey = cv2.cvtColor(np.ascontiguousarray(photo.transpose(1, 2, 0)), cv2.COLOR_RGB2GRAY)
    settings = cv2.aruco.DetectorParameters()
    settings.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    found, numbers, _ = cv2.aruco.ArucoDetector(_dictionary(cv2), settings).detectMarkers(grey)
    if numbers is None:
        return []
    markers = [
        _aligned(cv2, grey, int(number), corners[0].astype(np.float64))
        for corners, number in zip(found, numbers.ravel(), strict=True)
    ]
    return sorted(markers, key=lambda marker: -float(cv2.contourArea(marker.corners.astype("f4"))))


def marker_cells(number: int) -> NDArray[np.bool_]:
    """The pattern (6, 6) of a marker, True where it is white; for printing one.

    Raises:
        ValueError: The number is not one of 0 to 49.
        UserError: E202 if OpenCV cannot be loaded.
    """
    if not 0 <= number < 50:
        raise ValueError(f"marker numbers are 0 to 49, not {number}")
    cv2 = opencv()
    cells: NDArray[np.bool_] = (
        cv2.aruco.generateImageMarker(_dictionary(cv2), number, CELLS, borderBits=1) > 0
    )
    return cells


def homography(source: Points, target: Points) -> Points:
    """The matrix (3, 3) that maps four points (4, 2) onto four others, bottom right entry 1.

    Raises:
        ValueError: Three of the points lie on one line.
    """
    rows = []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    try:
        entries = np.linalg.solve(np.array(rows), target.reshape(-1))
    except np.linalg.LinAlgError as error:
        raise ValueError(f"the points {source.tolist()} do not span a plane") from error
    return np.append(entries, 1.0).reshape(3, 3)


def mapped(matrix: Points, points: Points) -> Points:
    """Points (N, 2) under a homography."""
    lifted = points @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(lifted[:, :2] / lifted[:, 2:])


def _dictionary(cv2: ModuleType) -> Any:
    return cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)


def _aligned(cv2: ModuleType, grey: Grey, number: int, corners: Points) -> Marker:
    """The marker with its whole pattern aligned to the photograph.

    Detection and alignment count from the centre of the first pixel; the result counts from its
    corner, hence the half pixels.
    """
    side = float(np.mean(np.linalg.norm(corners - np.roll(corners, 1, 0), axis=1)))
    cell = int(np.clip(round(side / CELLS), 4, 32))
    pattern = _pattern(number, cell)
    low, high = _QUIET * cell - 0.5, (_QUIET + CELLS) * cell - 0.5
    square = np.array([[low, low], [high, low], [high, high], [low, high]])
    start = homography(square, corners).astype(np.float32)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _ROUNDS, _LEAST_GAIN)
    try:
        _, matrix = cv2.findTransformECC(pattern, grey, start, cv2.MOTION_HOMOGRAPHY, stop, None, 3)
    except cv2.error as error:
        logger.warning("marker %d could not be aligned: %s", number, error.err)
        return Marker(number, corners + 0.5, aligned=False)
    better = mapped(np.asarray(matrix, dtype=np.float64), square)
    if np.abs(better - corners).max() > 0.1 * side:
        logger.warning("marker %d moved away while it was aligned", number)
        return Marker(number, corners + 0.5, aligned=False)
    return Marker(number, better + 0.5, aligned=True)


def _pattern(number: int, cell: int) -> Grey:
    cells = np.pad(marker_cells(number), _QUIET, constant_values=True)
    return np.kron(cells, np.ones((cell, cell))).astype(np.uint8) * 255
