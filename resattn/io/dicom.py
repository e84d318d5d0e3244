"""Photographs in DICOM files, and masks as DICOM Segmentation objects that refer to them.

Reading and writing need pydicom, the extra `dicom`. UIDs are made of what they name, and the time
of a mask is that of its photograph, so that the same inputs give the same bytes.
"""

from __future__ import annotations

import io
import struct
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from resattn.errors import ItemError, UserError
from resattn.hashing import array_sha256, json_sha256
from resattn.io import jpeg
from resattn.io.headers import Header, HeaderError, parse
from resattn.io.image import Image, ImageInfo, opencv
from resattn.io.metadata import Metadata
from resattn.io.names import shown
from resattn.io.sniff import Limits, check_size, local_path, open_regular
from resattn.version import __version__

SUFFIX: Final = ".dcm"

_PREAMBLE: Final = 128
_VL_PHOTOGRAPHIC: Final = "1.2.840.10008.5.1.4.1.1.77.1.4"
_PHOTOGRAPHS: Final = (_VL_PHOTOGRAPHIC, "1.2.840.10008.5.1.4.1.1.7")  # and secondary capture
_SEGMENTATION: Final = "1.2.840.10008.5.1.4.1.1.66.4"
_EXPLICIT_LITTLE, _BASELINE_JPEG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50"
_SYNTAXES: Final = ("1.2.840.10008.1.2", _EXPLICIT_LITTLE, _BASELINE_JPEG)
_NO_DATE, _NO_TIME = "19700101", "000000"
_DAMAGE: Final = (
    ArithmeticError, AttributeError, LookupError, NotImplementedError, OSError, RecursionError,
    TypeError, ValueError, struct.error,
)  # fmt: skip
"""What pydicom raises on files that are cut short or hold other types than they claim."""

_PATIENT_AND_STUDY: Final = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID",
    "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip

Dataset = Any
"""pydicom's, which is not there to be named unless the extra is installed."""


@dataclass(frozen=True, slots=True)
class Maker:
    """What made a mask.

    Attributes:
        task: The verb.
        network: Name of the weights.
        facts: What the same mask can be made with again, as `pipelines.provenance.tags`.
        notice: What whoever opens the mask must read.
    """

    task: str
    network: str
    facts: dict[str, str]
    notice: str


def pydicom() -> ModuleType:
    """The module of the extra.

    Raises:
        UserError: E217 if it is not installed.
    """
    try:
        import pydicom as module
    except ImportError as error:
        raise UserError(
            "DICOM needs pydicom", "pip install 'resattn[dicom]'", code="E217"
        ) from error
    return module


def is_dicom(path: Path) -> bool:
    """Whether the file begins as DICOM files do, whatever its name.

    Raises:
        ItemError: It cannot be read.
    """
    with open_regular(local_path(path)) as stream:
        return stream.read(_PREAMBLE + 4)[_PREAMBLE:] == b"DICM"


def read_dicom(path: Path, limits: Limits | None = None) -> Image:
    """The photograph of a VL Photographic or Secondary Capture image, grey or RGB of 8 bits.

    Stored plainly or as baseline JPEG; DICOM knows no EXIF, so pixels are taken as they lie.

    Raises:
        ItemError: E301 if it is damaged, E305 if it claims more pixels than `limits`, E310 if it
            is another kind of DICOM object.
        UserError: E217 if pydicom is not installed.
    """
    source = local_path(path)
    with open_regular(source) as stream:
        data = stream.read()
    with _mending(source):
        module = pydicom()
        # A deflated file would be inflated as a whole, whatever it becomes: asked for first.
        syntax = str(module.filereader.read_file_meta_info(source).TransferSyntaxUID)
        if syntax not in _SYNTAXES:
            raise _unread(source, f"in transfer syntax {syntax}")
        found = module.dcmread(io.BytesIO(data))
        _refuse_unread_kinds(source, found)
        header = Header("jpeg", int(found.Rows), int(found.Columns), int(found.SamplesPerPixel))
        check_size(source, header, limits or Limits())
        pixels = (_from_jpeg if syntax == _BASELINE_JPEG else _plain)(found, header)
    height, width = pixels.shape[1:]
    info = ImageInfo(source, "dicom", height, width, "uint8", 1, Metadata())
    return Image(np.ascontiguousarray(pixels), None, info)


def segmentation(
    source: Path, photo: NDArray[np.uint8], mask: NDArray[np.bool_], maker: Maker
) -> tuple[bytes, bytes | None]:
    """The files of a mask (H, W): a DICOM Segmentation, and the photograph it refers to.

    The photograph (3, H, W) is wrapped as a VL Photographic Image unless `source` is DICOM; then
    the mask refers to that, is of its patient and study, and there is no second file.

    Raises:
        UserError: E217 if pydicom is not installed.
    """
    wrapped = not is_dicom(source)
    if wrapped:
        image = _photograph(source, photo)
    else:
        with _mending(source):
            image = pydicom().dcmread(source, stop_before_pixels=True)
    with _quiet():
        made = _encoded(_segmentation(image, mask, maker))
        return made, _encoded(image) if wrapped else None


def _refuse_unread_kinds(path: Path, found: Dataset) -> None:
    bands, colours = int(found.SamplesPerPixel), str(found.PhotometricInterpretation)
    coded = found.file_meta.TransferSyntaxUID == _BASELINE_JPEG
    known = {1: ("MONOCHROME2",), 3: ("RGB", "YBR_FULL", "YBR_FULL_422") if coded else ("RGB",)}
    if found.SOPClassUID not in _PHOTOGRAPHS:
        raise _unread(path, f"of SOP class {found.SOPClassUID}")
    if int(found.get("NumberOfFrames") or 1) != 1 or int(found.BitsAllocated) != 8:
        raise _unread(path, f"of {found.BitsAllocated} bits or several frames")
    if colours not in known.get(bands, ()):
        raise _unread(path, f"of {bands} bands, {colours}")


def _unread(path: Path, kind: str) -> ItemError:
    return ItemError(
        f"{shown(path)} is DICOM {kind}, which is not read",
        "export the photograph as RGB of 8 bits, plain or baseline JPEG",
        code="E310",
    )


def _plain(found: Dataset, header: Header) -> NDArray[np.uint8]:
    """Pixels (B, H, W) of an object that is not compressed."""
    rows, columns, bands = header.height, header.width, header.bands
    values = np.frombuffer(found.PixelData, np.uint8, rows * columns * bands)
    if bands == 3 and found.PlanarConfiguration == 1:
        stacked: NDArray[np.uint8] = values.reshape(bands, rows, columns)
    else:
        stacked = values.reshape(rows, columns, bands).transpose(2, 0, 1)
    return stacked


def _from_jpeg(found: Dataset, header: Header) -> NDArray[np.uint8]:
    frame = next(pydicom().encaps.generate_frames(found.PixelData, number_of_frames=1))
    if parse("jpeg", io.BytesIO(frame)) != header:
        raise HeaderError("its JPEG has another size than it claims")
    jpeg.check(frame)
    cv2 = opencv()
    kind = cv2.IMREAD_GRAYSCALE if header.bands == 1 else cv2.IMREAD_COLOR
    decoded = cv2.imdecode(np.frombuffer(jpeg.pixels_only(frame), np.uint8), kind)
    if decoded is None:
        raise HeaderError("the decoder gave up")
    stacked: NDArray[np.uint8] = np.atleast_3d(decoded)[..., ::-1].transpose(2, 0, 1)
    return stacked


def _photograph(source: Path, photo: NDArray[np.uint8]) -> Dataset:
    """The upright photograph as a VL Photographic Image, of nobody: names are for the clinic."""
    key = array_sha256(photo)
    image = _instance(_VL_PHOTOGRAPHIC, "photograph", key, "XC")
    for name in _PATIENT_AND_STUDY:
        setattr(image, name, "")
    image.StudyInstanceUID = _uid("study", key)
    image.Laterality = ""
    image.ImageType, image.AcquisitionContextSequence = ["ORIGINAL", "PRIMARY"], []
    _describe(image, photo.shape[1:], bands=3, bits=8)
    image.LossyImageCompression = "01" if source.suffix.lower() in (".jpg", ".jpeg") else "00"
    image.PixelData = _even(photo.transpose(1, 2, 0).tobytes())
    return image


def _segmentation(image: Dataset, mask: NDArray[np.bool_], maker: Maker) -> Dataset:
    """One binary frame of one segment, derived from `image`."""
    key = json_sha256([str(image.SOPInstanceUID), array_sha256(mask), maker.facts])
    made = _instance(_SEGMENTATION, "mask", key, "SEG")
    for name in _PATIENT_AND_STUDY:
        setattr(made, name, image.get(name, ""))
    made.ContentDate = image.get("ContentDate") or image.get("StudyDate") or _NO_DATE
    made.ContentTime = image.get("ContentTime") or image.get("StudyTime") or _NO_TIME
    if "FrameOfReferenceUID" in image:
        made.FrameOfReferenceUID = image.FrameOfReferenceUID
        made.PositionReferenceIndicator = image.get("PositionReferenceIndicator", "")
    made.ImageType, made.NumberOfFrames = ["DERIVED", "PRIMARY"], 1
    _describe(made, mask.shape, bands=1, bits=1)
    made.LossyImageCompression = image.get("LossyImageCompression") or "00"
    made.SegmentationType, made.SegmentsOverlap = "BINARY", "NO"
    made.ContentLabel, made.ContentDescription = "WOUND", maker.notice[:64]
    made.ContentCreatorName, made.SeriesDescription = "", f"resattn {maker.task}"
    made.SegmentSequence = [_segment(maker)]
    _frames(made, image, key)
    made.PixelData = _even(np.packbits(mask, bitorder="little").tobytes())
    return made


def _segment(maker: Maker) -> Dataset:
    facts = "; ".join(f"{name.lower()} {value}" for name, value in maker.facts.items())
    return _dataset(
        SegmentNumber=1,
        SegmentLabel="Wound",
        SegmentDescription=maker.notice,
        SegmentAlgorithmType="AUTOMATIC",
        SegmentAlgorithmName=f"resattn {maker.task}",
        SegmentedPropertyCategoryCodeSequence=[
            _code("49755003", "SCT", "Morphologically Abnormal Structure")
        ],
        SegmentedPropertyTypeCodeSequence=[_code("416462003", "SCT", "Wound")],
        SegmentationAlgorithmIdentificationSequence=[
            _dataset(
                AlgorithmFamilyCodeSequence=[_code("123110", "DCM", "Artificial Intelligence")],
                AlgorithmName=maker.network[:64],
                AlgorithmVersion=__version__,
                AlgorithmParameters=facts,
            )
        ],
    )


def _frames(made: Dataset, image: Dataset, key: str) -> None:
    """Which image the frame is of, said in each of the places where readers look."""
    instance = {
        "ReferencedSOPClassUID": image.SOPClassUID,
        "ReferencedSOPInstanceUID": image.SOPInstanceUID,
    }
    purpose = _code("121322", "DCM", "Source image for image processing operation")
    origin = _dataset(
        **instance, PurposeOfReferenceCodeSequence=[purpose], SpatialLocationsPreserved="YES"
    )
    derivation = _dataset(
        SourceImageSequence=[origin],
        DerivationCodeSequence=[_code("113076", "DCM", "Segmentation")],
    )
    frame = _dataset(
        DerivationImageSequence=[derivation],
        FrameContentSequence=[_dataset(DimensionIndexValues=[1])],
    )
    segment = [_dataset(ReferencedSegmentNumber=1)]
    made.SharedFunctionalGroupsSequence = [_dataset(SegmentIdentificationSequence=segment)]
    made.PerFrameFunctionalGroupsSequence = [frame]
    series = {"SeriesInstanceUID": image.SeriesInstanceUID}
    made.ReferencedSeriesSequence = [
        _dataset(**series, ReferencedInstanceSequence=[_dataset(**instance)])
    ]
    organization = _uid("dimensions", key)
    made.DimensionOrganizationSequence = [_dataset(DimensionOrganizationUID=organization)]
    made.DimensionIndexSequence = [
        _dataset(
            DimensionOrganizationUID=organization,
            DimensionIndexPointer=0x0062000B,  # the referenced segment number,
            FunctionalGroupPointer=0x0062000A,  # in the segment identification
        )
    ]


def _instance(kind: str, role: str, key: str, modality: str) -> Dataset:
    """An object of SOP class `kind` in a series of its own."""
    made = _dataset(
        SpecificCharacterSet="ISO_IR 192",
        SOPClassUID=kind,
        SOPInstanceUID=_uid(role, key),
        SeriesInstanceUID=_uid(f"series of the {role}", key),
        Modality=modality,
        SeriesNumber=1,
        InstanceNumber=1,
        Manufacturer="resattn",
        ManufacturerModelName="resattn",
        PatientOrientation="",
        DeviceSerialNumber="0",
        SoftwareVersions=__version__,
    )
    made.ContentDate, made.ContentTime = _NO_DATE, _NO_TIME
    return made


def _describe(made: Dataset, shape: tuple[int, ...], bands: int, bits: int) -> None:
    made.Rows, made.Columns = shape
    made.SamplesPerPixel = bands
    made.PhotometricInterpretation = "RGB" if bands == 3 else "MONOCHROME2"
    if bands == 3:
        made.PlanarConfiguration = 0
    made.BitsAllocated = made.BitsStored = bits
    made.HighBit, made.PixelRepresentation = bits - 1, 0


def _dataset(**values: Any) -> Dataset:
    made = pydicom().Dataset()
    for name, value in values.items():
        setattr(made, name, value)
    return made


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    return _dataset(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def _uid(role: str, key: str) -> str:
    """A UID derived from a UUID (DICOM PS3.5 B.2), the same for the same role and key."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'{role} {key}').int}"


def _encoded(dataset: Dataset) -> bytes:
    meta = pydicom().dataset.FileMetaDataset()
    meta.TransferSyntaxUID = _EXPLICIT_LITTLE
    dataset.file_meta = meta
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _even(data: bytes) -> bytes:
    return data + b"\0" * (len(data) % 2)


@contextmanager
def _mending(source: Path) -> Iterator[None]:
    own = pydicom().errors
    try:
        with _quiet():
            yield
    except (HeaderError, own.BytesLengthException, own.InvalidDicomError, *_DAMAGE) as error:
        raise ItemError(
            f"{shown(source)} is truncated or damaged: {error}",
            "obtain the file again",
            code="E301",
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without pydicom's remarks on values that other programs wrote."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
