"""Which files are PAN and MS of one scene."""

from __future__ import annotations

from pathlib import Path

import pytest

from resattn.errors import UserError
from resattn.pipelines.scenes import find_scenes
from resattn.pipelines.sources import Source, gather


def tree(root: Path, *names: str) -> list[Source]:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return gather([str(root)])


def shape(scenes) -> list[tuple[str, str, list[str]]]:
    return [(s.name, s.pan.name, [path.name for path in s.ms]) for s in scenes]


def test_pan_and_ms_in_one_folder_are_a_scene_named_after_it(tmp_path):
    found = tree(tmp_path, "rome/pan.tif", "rome/ms.tif", "oslo/PAN.TIF", "oslo/MUL.TIF")
    assert shape(find_scenes(found)) == [
        ("oslo", "PAN.TIF", ["MUL.TIF"]),
        ("rome", "pan.tif", ["ms.tif"]),
    ]


def test_landsat_band_files_in_band_order_without_thermal_and_quality_bands(tmp_path):
    bands = [f"LC08_016037_B{i}.TIF" for i in range(1, 12)] + ["LC08_016037_BQA.TIF"]
    (name, pan, ms), *rest = shape(find_scenes(tree(tmp_path, *bands)))
    assert not rest
    assert (name, pan) == ("LC08_016037", "LC08_016037_B8.TIF")
    assert ms == [f"LC08_016037_B{i}.TIF" for i in range(2, 8)]


def test_stems_separate_scenes_of_one_folder(tmp_path):
    found = tree(tmp_path, "a_pan.tif", "a_ms.tif", "b_pan.tif", "b_ms.tif", "c_ms.tif")
    assert [s.name for s in find_scenes(found)] == ["a", "b"]


def test_files_named_outright_are_pan_then_ms(tmp_path):
    tree(tmp_path, "one.tif", "two.tif", "three.tif")
    found = gather([str(tmp_path / n) for n in ("two.tif", "one.tif", "three.tif")])
    assert shape(find_scenes(found)) == [("two", "two.tif", ["one.tif", "three.tif"])]


def test_the_band_order_given_is_kept(tmp_path):
    tree(tmp_path, "x_B8.tif", "x_B4.tif", "x_B2.tif", "x_B3.tif")
    found = gather([str(tmp_path / f"x_B{n}.tif") for n in (8, 4, 3, 2)])
    assert shape(find_scenes(found)) == [("x_B8", "x_B8.tif", ["x_B4.tif", "x_B3.tif", "x_B2.tif"])]


def test_a_glob_of_the_shell_pairs_by_name(tmp_path):
    names = ["x_B2.tif", "x_B3.tif", "x_B8.tif", "x_BQA.tif"]
    tree(tmp_path, *names)
    found = gather([str(tmp_path / name) for name in names])
    assert shape(find_scenes(found)) == [("x", "x_B8.tif", ["x_B2.tif", "x_B3.tif"])]


def test_a_list_line_is_a_scene(tmp_path):
    tree(tmp_path, "x.tif", "y.tif", "z.tif")
    (tmp_path / "list.txt").write_text("x.tif\ty.tif\tz.tif\n")
    scenes = find_scenes(gather([f"@{tmp_path / 'list.txt'}"]))
    assert shape(scenes) == [("x", "x.tif", ["y.tif", "z.tif"])]


def test_own_patterns(tmp_path):
    found = tree(tmp_path, "s1.sharp.tif", "s1.colour.tif")
    scenes = find_scenes(found, pan_pattern=r"\.sharp", ms_pattern=r"\.colour")
    assert shape(scenes) == [("s1", "s1.sharp.tif", ["s1.colour.tif"])]


def test_two_pans_for_a_scene_are_refused(tmp_path):
    with pytest.raises(UserError, match="two panchromatic"):
        find_scenes(tree(tmp_path, "a_pan.tif", "a_B8.tif", "a_ms.tif"))


def test_a_folder_without_a_pair_is_refused(tmp_path):
    with pytest.raises(UserError, match="no PAN with its MS"):
        find_scenes(tree(tmp_path, "a.tif", "b.tif"))


def test_a_bad_pattern_is_refused(tmp_path):
    with pytest.raises(UserError, match="pattern"):
        find_scenes(tree(tmp_path, "a.tif", "b.tif"), pan_pattern="(")
