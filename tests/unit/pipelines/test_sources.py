"""Inputs: files, folders, globs, lists, stdin, and what must not trip them."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resattn.errors import UserError
from resattn.pipelines.sources import Source, gather


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def names(sources) -> list[str]:
    return [source.path.name for source in sources]


def test_a_folder_is_walked_in_a_stable_order(tmp_path):
    for name in ("b.tif", "a.tif", "sub/c.tif", ".hidden.tif"):
        touch(tmp_path / name)
    assert names(gather([str(tmp_path)])) == ["a.tif", "b.tif", "c.tif"]
    assert names(gather([str(tmp_path)], recursive=False)) == ["a.tif", "b.tif"]


def test_include_filters_folders_but_not_named_files(tmp_path):
    touch(tmp_path / "folder" / "a.tif")
    touch(tmp_path / "folder" / "b.txt")
    named = touch(tmp_path / "c.txt")
    found = gather([str(tmp_path / "folder"), str(named)], include="*.tif")
    assert names(found) == ["a.tif", "c.txt"]


def test_a_file_named_twice_counts_once(tmp_path):
    path = touch(tmp_path / "a.tif")
    assert len(gather([str(path), str(tmp_path), str(path)])) == 1


def test_globs(tmp_path):
    touch(tmp_path / "a1.tif")
    touch(tmp_path / "a2.tif")
    touch(tmp_path / "b.tif")
    assert names(gather([str(tmp_path / "a*.tif")])) == ["a1.tif", "a2.tif"]


def test_a_list_gives_paths_relative_to_itself_and_extra_columns(tmp_path):
    touch(tmp_path / "pan.tif")
    touch(tmp_path / "ms.tif")
    listing = tmp_path / "list.txt"
    listing.write_text("# a comment\npan.tif\tms.tif\n\n")
    (source,) = gather([f"@{listing}"])
    assert (source.path.name, source.extra) == ("pan.tif", (tmp_path / "ms.tif",))


def test_a_dash_reads_the_list_from_stdin(tmp_path, monkeypatch):
    path = touch(tmp_path / "a.tif")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{path}\n"))
    assert names(gather(["-"])) == ["a.tif"]


def test_f28_symbolic_loops_end(tmp_path):
    touch(tmp_path / "sub" / "a.tif")
    (tmp_path / "sub" / "loop").symlink_to(tmp_path)
    assert names(gather([str(tmp_path)])) == ["a.tif"]


def test_f28_pipes_and_dangling_links_are_passed_over(tmp_path):
    touch(tmp_path / "a.tif")
    os.mkfifo(tmp_path / "pipe.tif")
    (tmp_path / "dangling.tif").symlink_to(tmp_path / "nowhere")
    assert names(gather([str(tmp_path)])) == ["a.tif"]


@pytest.mark.parametrize("name", ["with space.tif", "new\nline.tif", "-dash.tif", "é😀.tif"])
def test_f27_odd_names_survive(tmp_path, name):
    touch(tmp_path / name)
    assert names(gather([str(tmp_path)])) == [name]


def test_f27_a_name_that_is_not_utf8_survives(tmp_path):
    raw = os.fsencode(tmp_path) + b"/\xff.tif"
    os.close(os.open(raw, os.O_CREAT))
    (source,) = gather([str(tmp_path)])
    assert os.fsencode(source.path) == raw


@pytest.mark.parametrize("text", ["missing.tif", "none-*.tif", "@missing.txt"])
def test_what_does_not_exist_is_named(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=text.removeprefix("@").replace("*", r"\*")):
        gather([text])


def test_a_list_with_a_missing_file_names_the_line(tmp_path):
    listing = tmp_path / "list.txt"
    listing.write_text("\nmissing.tif\n")
    with pytest.raises(UserError, match="line 2"):
        gather([f"@{listing}"])


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(UserError, match="matched no file"):
        gather([str(tmp_path)])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=8, unique=True))
def test_every_file_of_a_tree_is_found_once(tmp_path_factory, stems):
    root = tmp_path_factory.mktemp("tree")
    made = {touch(root / Path(*stem) / "f.tif") for stem in stems}
    assert {source.path for source in gather([str(root)])} == made


@pytest.mark.parametrize("root", ["/", "/a", "/a.b/c"])
def test_a_source_is_called_as_pathlib_would(root):
    below = ("x.tif", "x", "x.", ".h", "..h", ".h.tif", "x.y.tif", "a.b/x", "a/.h", "é/b..c", "x..")
    for path in (Path(root) / name for name in below):
        expected = path.relative_to(root).with_suffix("").as_posix()
        assert Source(path, Path(root)).name == expected
