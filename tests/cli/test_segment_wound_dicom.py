"""`resattn segment-wound` in a clinic: DICOM photographs in, DICOM Segmentations out.

What is written is read back by pydicom, as another program would.
"""

from __future__ import annotations

import json

import pytest

from resattn.errors import ItemError, UserError
from resattn.io import dicom
from resattn.io.image import encode_image, read_image
from resattn.io.sniff import Limits
from resattn.models.wound_unet import Decision, WoundUNetConfig
from resattn.pipelines import segment_wound_photo
from resattn.weights.load import Loaded
from tests.cli.test_segment_wound import TINY, Redness, photograph, save

pydicom = pytest.importorskip("pydicom")

VL_PHOTOGRAPHIC = "1.2.840.10008.5.1.4.1.1.77.1.4"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"


@pytest.fixture
def segment(resattn, monkeypatch):
    """`segment(input, "-o", out, …)` runs the verb with the red network."""
    model = Redness(WoundUNetConfig(**TINY, decision=Decision(offset=1.0)))
    loaded = Loaded(model, "segment-wound", "red", "0" * 64, "CC-BY-NC-4.0", commercial=False)
    monkeypatch.setattr(segment_wound_photo, "load", lambda name, task: loaded)
    monkeypatch.setattr(
        segment_wound_photo, "listed", lambda: {segment_wound_photo.DEFAULT_WEIGHTS: None}
    )
    return lambda *arguments: resattn("segment-wound", *arguments)


def clinical(path, photo, **changes):
    """A photograph as a hospital's archive holds it, plainly stored."""
    made = pydicom.Dataset()
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    made.SOPClassUID, made.SOPInstanceUID = VL_PHOTOGRAPHIC, "1.2.3.4"
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.3", "1.2.3.1"
    made.PatientName, made.PatientID, made.StudyDate = "Doe^Jane", "P-17", "20240315"
    made.Rows, made.Columns, made.SamplesPerPixel = *photo.shape[1:], photo.shape[0]
    made.PhotometricInterpretation = "RGB" if len(photo) == 3 else "MONOCHROME2"
    made.PlanarConfiguration, made.PixelRepresentation = 0, 0
    made.BitsAllocated, made.BitsStored, made.HighBit = 8, 8, 7
    made.PixelData = photo.transpose(1, 2, 0).tobytes()
    for name, value in changes.items():
        target = made.file_meta if name == "TransferSyntaxUID" else made
        setattr(target, name, value)
    made.save_as(path, enforce_file_format=True)
    return path


def test_a_mask_refers_to_the_photograph_it_is_of(segment, tmp_path):
    source = clinical(tmp_path / "a.dcm", photograph()[0])
    done = segment(tmp_path, "-o", tmp_path / "out", "--dicom-seg", "--no-overlay")
    assert done.code == 0, done.err
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["a.wound.dcm", "a.wound.json", "a.wound.png"]
    made = pydicom.dcmread(tmp_path / "out" / "a.wound.dcm")
    mask = read_image(tmp_path / "out" / "a.wound.png").pixels[0] > 0
    assert 1500 < mask.sum() < 1700
    assert (made.pixel_array == mask).all(), "bit for bit the mask of the PNG"
    assert (made.SOPClassUID, made.Modality, made.SegmentationType) == (
        SEGMENTATION, "SEG", "BINARY",
    )  # fmt: skip
    assert (made.PatientName, made.PatientID) == ("Doe^Jane", "P-17")
    assert (made.StudyInstanceUID, made.ContentDate) == ("1.2.3", "20240315")
    assert made.SeriesInstanceUID != "1.2.3.1", "a series holds one modality"
    (series,) = made.ReferencedSeriesSequence
    (frame,) = made.PerFrameFunctionalGroupsSequence
    (origin,) = frame.DerivationImageSequence[0].SourceImageSequence
    assert series.SeriesInstanceUID == "1.2.3.1"
    for reference in (series.ReferencedInstanceSequence[0], origin):
        assert reference.ReferencedSOPClassUID == VL_PHOTOGRAPHIC
        assert reference.ReferencedSOPInstanceUID == "1.2.3.4"
    (wound,) = made.SegmentSequence
    assert wound.SegmentedPropertyTypeCodeSequence[0].CodeValue == "416462003"
    assert "Not a medical device" in wound.SegmentDescription
    (algorithm,) = wound.SegmentationAlgorithmIdentificationSequence
    assert algorithm.AlgorithmName == "red"
    document = json.loads((tmp_path / "out" / "a.wound.json").read_text())
    assert document["config_sha256"] in algorithm.AlgorithmParameters
    assert source.exists()


def test_an_ordinary_photograph_comes_along_and_the_bytes_repeat(segment, tmp_path):
    photo, _ = photograph(121, 161)  # an odd number of bytes
    source = save(tmp_path / "foot.png", photo)
    for out in ("one", "two"):
        assert segment(source, "-o", tmp_path / out, "--dicom-seg").code == 0
    for name in ("foot.wound.dcm", "foot.wound.photo.dcm"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    image = pydicom.dcmread(tmp_path / "one" / "foot.wound.photo.dcm")
    assert (image.pixel_array == photo.transpose(1, 2, 0)).all()
    assert image.SOPClassUID == VL_PHOTOGRAPHIC
    assert image.PatientName == ""
    mask = pydicom.dcmread(tmp_path / "one" / "foot.wound.dcm")
    (instance,) = mask.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert instance.ReferencedSOPInstanceUID == image.SOPInstanceUID
    assert mask.StudyInstanceUID == image.StudyInstanceUID
    again = dicom.read_dicom(tmp_path / "one" / "foot.wound.photo.dcm")
    assert (again.pixels == photo).all()


def test_dry_run_names_the_objects(segment, tmp_path):
    clinical(tmp_path / "a.dcm", photograph()[0])
    save(tmp_path / "b.png", photograph()[0])
    done = segment(tmp_path, "-o", tmp_path / "out", "--dicom-seg", "--dry-run")
    written = [line.split("\t")[1] for line in done.out.splitlines() if line.startswith("write")]
    objects = [name.rsplit("/", 1)[1] for name in written if name.endswith(".dcm")]
    assert objects == ["a.wound.dcm", "b.wound.dcm", "b.wound.photo.dcm"]


@pytest.mark.parametrize("bands", [1, 3])
@pytest.mark.parametrize("planes", [0, 1])
def test_plain_pixels_are_read_in_either_order(tmp_path, bands, planes):
    photo = photograph(31, 45, 5, 5, 9)[0][:bands]
    stored = photo if planes else photo.transpose(1, 2, 0)
    path = clinical(
        tmp_path / "a", photo, PlanarConfiguration=planes, PixelData=stored.tobytes() + b"\0"
    )
    assert (dicom.read_dicom(path).pixels == photo).all()


@pytest.mark.parametrize("bands", [1, 3])
def test_baseline_jpeg_is_read_as_the_jpeg_itself(tmp_path, bands):
    photo = photograph(32, 48, 5, 5, 9)[0][:bands]
    coded = encode_image(photo, format="jpeg", quality=90)
    path = clinical(
        tmp_path / "a.dcm",
        photo,
        TransferSyntaxUID=pydicom.uid.JPEGBaseline8Bit,
        PhotometricInterpretation="MONOCHROME2" if bands == 1 else "YBR_FULL_422",
        PixelData=pydicom.encaps.encapsulate([coded]),
    )
    (tmp_path / "a.jpg").write_bytes(coded)
    assert (dicom.read_dicom(path).pixels == read_image(tmp_path / "a.jpg").pixels).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"SOPClassUID": SEGMENTATION}, "of SOP class"),
        ({"TransferSyntaxUID": pydicom.uid.DeflatedExplicitVRLittleEndian}, "transfer syntax"),
        ({"BitsAllocated": 16}, "of 16 bits"),
        ({"NumberOfFrames": 2}, "several frames"),
        ({"PhotometricInterpretation": "YBR_FULL"}, "3 bands, YBR_FULL"),
    ],
)
def test_other_objects_are_refused_with_the_reason(tmp_path, changes, words):
    path = clinical(tmp_path / "a.dcm", photograph()[0], **changes)
    with pytest.raises(ItemError, match=words) as caught:
        dicom.read_dicom(path)
    assert caught.value.code == "E310"


def test_a_claim_of_too_many_pixels_and_damage_are_refused(tmp_path):
    path = clinical(tmp_path / "a.dcm", photograph(20, 20, 5, 5, 5)[0])
    with pytest.raises(ItemError, match="the limit is 399"):
        dicom.read_dicom(path, Limits(whole_pixels=399))
    whole = path.read_bytes()
    for length in range(132, len(whole), 31):
        path.write_bytes(whole[:length])
        with pytest.raises(ItemError) as caught:
            dicom.read_dicom(path)
        # A UID that is cut short names another kind of object, or none.
        assert caught.value.code in ("E301", "E310"), length
    assert caught.value.code == "E301"


def test_without_pydicom_the_extra_is_named_before_any_work(segment, tmp_path, monkeypatch):
    def missing():
        raise UserError("DICOM needs pydicom", "pip install 'resattn[dicom]'", code="E217")

    monkeypatch.setattr("resattn.pipelines.segment_wound_config.pydicom", missing)
    source = save(tmp_path / "a.png", photograph()[0])
    done = segment(source, "-o", tmp_path / "out", "--dicom-seg")
    assert done.code == 2
    assert "error[E217]" in done.err
    assert not (tmp_path / "out").exists()
