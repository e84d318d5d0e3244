"""The verified writer: right bytes under the right name, and never half a file."""

from __future__ import annotations

import csv
import json
import os
import stat
from pathlib import Path

import pytest

from resattn.errors import OutputError
from resattn.io.atomic import (
    StagedFile,
    check_target,
    remove_stale,
    temporary_name,
    write_bytes,
    write_csv,
    write_json,
    write_text,
)

ODD_NAMES = {
    "plain": b"out.bin",
    "space": b"my out put.bin",
    "newline": b"line\nbreak.bin",
    "escape": b"\x1b[31mred.bin",
    "quotes": b'it\'s "quoted".bin',
    "dash": b"-rf",
    "brackets": b"a[1]*?.bin",
    "emoji": "🛰️ Übersicht.bin".encode(),
    "not UTF-8": b"Z\xfcrich\xff.bin",
    "255 bytes": b"x" * 251 + b".bin",
    "255 bytes of two-byte letters": "é".encode() * 127 + b"b",
    "255 bytes that are not UTF-8": b"\xff" * 255,
}


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", ODD_NAMES.values(), ids=ODD_NAMES.keys())
def test_f27_any_name_works_and_nothing_else_is_left(tmp_path: Path, name: bytes) -> None:
    target = tmp_path / os.fsdecode(name)
    write_bytes(target, b"one")
    write_bytes(target, b"two", overwrite=True)
    assert target.read_bytes() == b"two"
    assert names_in(tmp_path) == [os.fsdecode(name)]


def test_a_new_file_gets_the_mode_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_bytes(tmp_path / "a", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_f20_an_existing_target_is_kept_unless_told(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")
    with pytest.raises(OutputError, match="exists") as caught:
        write_bytes(target, b"new")
    assert caught.value.code == "E404"
    assert "--overwrite" in caught.value.hint
    assert target.read_bytes() == b"old"


def test_f20_a_dangling_link_counts_as_existing(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError) as caught:
        write_bytes(target, b"new")
    assert caught.value.code == "E404"
    write_bytes(target, b"new", overwrite=True)
    assert not target.is_symlink()


@pytest.mark.parametrize("kind", ["same path", "other spelling", "symbolic link", "hard link"])
def test_f19_the_output_may_not_be_the_input(tmp_path: Path, kind: str) -> None:
    source = tmp_path / "in"
    source.write_bytes(b"precious")
    target = {
        "same path": source,
        "other spelling": tmp_path / "." / ".." / tmp_path.name / "in",
        "symbolic link": tmp_path / "soft",
        "hard link": tmp_path / "hard",
    }[kind]
    if kind == "symbolic link":
        target.symlink_to(source)
    if kind == "hard link":
        target.hardlink_to(source)
    with pytest.raises(OutputError, match="is the input") as caught:
        write_bytes(target, b"new", inputs=[source], overwrite=True)
    assert caught.value.code == "E403"
    assert source.read_bytes() == b"precious"


def test_f18_a_missing_folder_or_a_folder_as_target(tmp_path: Path) -> None:
    for target in (tmp_path / "no" / "a", tmp_path):
        with pytest.raises(OutputError) as caught:
            check_target(target, overwrite=True)
        assert caught.value.code == "E402"


def test_a_target_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "a"

    def race() -> None:
        with StagedFile(target) as staged:
            staged.temporary.write_bytes(b"ours")
            target.write_bytes(b"theirs")

    with pytest.raises(OutputError, match="appeared") as caught:
        race()
    assert caught.value.code == "E404"
    assert target.read_bytes() == b"theirs"
    assert names_in(tmp_path) == ["a"]


def test_an_interrupt_in_the_body_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> None:
        with StagedFile(tmp_path / "a") as staged:
            staged.temporary.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert names_in(tmp_path) == []


def test_a_link_planted_at_the_temporary_name_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    target = tmp_path / "out"
    StagedFile(target).temporary.symlink_to(victim)
    write_bytes(target, b"new")
    assert victim.read_bytes() == b"precious"
    assert target.read_bytes() == b"new"


def test_stale_temporaries_go_and_those_of_other_machines_stay(tmp_path: Path) -> None:
    stale = [temporary_name(tmp_path / "a.tif"), temporary_name(tmp_path / "a.tif", "-cog")]
    stale.append(tmp_path / f"{stale[0].name}.aux.xml")  # GDAL's
    for path in stale:
        path.touch()
    other_host = tmp_path / "a.tif.part-elsewhere-1"
    other_host.touch()
    assert sorted(remove_stale(tmp_path)) == sorted(stale)
    assert list(tmp_path.iterdir()) == [other_host]
    assert remove_stale(tmp_path / "missing") == []


@pytest.mark.parametrize("name", ODD_NAMES.values(), ids=ODD_NAMES.keys())
def test_f22_what_is_being_written_stays_whatever_its_name(tmp_path: Path, name: bytes) -> None:
    target = tmp_path / os.fsdecode(name)
    with StagedFile(target) as staged:
        staged.temporary.write_bytes(b"whole")
        temporary_name(target, "-cog").touch()
        assert remove_stale(tmp_path) == []
        temporary_name(target, "-cog").unlink()
    assert target.read_bytes() == b"whole"
    left = temporary_name(target)
    left.touch()
    assert remove_stale(tmp_path) == [left]
    assert list(tmp_path.iterdir()) == [target]


def test_long_names_that_differ_at_their_end_are_staged_apart(tmp_path: Path) -> None:
    with StagedFile(tmp_path / ("x" * 240 + "a")) as first:
        first.temporary.write_bytes(b"a")
        write_bytes(tmp_path / ("x" * 240 + "b"), b"b")
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == [b"a", b"b"]


def test_json_is_readable_ordered_and_without_nan(tmp_path: Path) -> None:
    value = {"z": 1.5, "a": ["é", None, {"path": "Z\udcfcrich.tif"}]}
    write_json(tmp_path / "r.json", value)
    text = (tmp_path / "r.json").read_text("utf-8")
    assert text.startswith('{\n  "z": 1.5,')
    assert json.loads(text) == value
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "bad.json", {"a": float("nan")})
    assert names_in(tmp_path) == ["r.json"]


def test_csv_survives_commas_quotes_and_line_breaks(tmp_path: Path) -> None:
    rows = [["a,b", 'say "x"'], ["line\nbreak", "1.5"]]
    write_csv(tmp_path / "r.csv", ["name", "value"], rows)
    with (tmp_path / "r.csv").open(newline="", encoding="utf-8") as stream:
        assert list(csv.reader(stream)) == [["name", "value"], *rows]


def test_text_with_undecodable_name_is_still_utf8(tmp_path: Path) -> None:
    write_text(tmp_path / "r.txt", "Z\udcfcrich")
    assert (tmp_path / "r.txt").read_bytes() == b"Z\\udcfcrich"
