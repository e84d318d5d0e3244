"""What holds for every verb: inputs, disks, names and signals that fail, and no file is lost.

The verbs and their inputs are the table in `commands.py`.
"""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pytest

from resattn.io.faultpoints import watched_by
from tests.faults.commands import COMMANDS, Command, contents
from tests.shell import Shell

every_command = pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())


@pytest.fixture(autouse=True)
def _weights(small_networks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESATTN_HOME", str(small_networks))


@pytest.fixture
def inputs(tmp_path: Path, command: Command) -> Path:
    """A folder with the items `a` and `b`."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name in "ab":
        command.make(folder, name)
    return folder


def coded(text: str) -> list[str]:
    """The codes of the error lines of stderr, which must hold nothing worse."""
    assert "Traceback" not in text, text
    return re.findall(r"^error\[(E\d{3})\] .+ — .+$", text, re.MULTILINE)


@every_command
@pytest.mark.parametrize(
    ("damage", "code"),
    [
        pytest.param(lambda data: b"", "E304", id="F4 empty"),
        pytest.param(lambda data: b"no image at all", "E304", id="F4 text"),
        pytest.param(lambda data: data[: len(data) // 2], "E301", id="F1 half"),
        pytest.param(lambda data: data[:9], "E301", id="F1 nine bytes"),
        pytest.param(lambda data: b"GIF89a" + data[6:], "E310", id="F13 another format"),
        pytest.param(lambda data: b"<VRTDataset>" + data, "E308", id="F9 a virtual raster"),
    ],
)
def test_f1_f4_f9_f13_one_bad_input_does_not_stop_the_others(
    resattn: Shell, inputs: Path, tmp_path: Path, command: Command, damage, code: str
) -> None:
    victim = min(path for path in inputs.iterdir() if path.name.startswith("a"))
    victim.write_bytes(damage(victim.read_bytes()))
    before = contents(inputs)
    done = resattn(*command.line(inputs, tmp_path / "out", "--report", tmp_path / "r.json"))
    assert done.code == 1, done.err
    assert coded(done.err) == [code]
    assert contents(tmp_path / "out").keys() == command.outputs("b")
    assert contents(inputs) == before
    items = json.loads((tmp_path / "r.json").read_text())["items"]
    assert [item["status"] for item in items] == ["failed", "ok"]
    assert f"error[{code}]" in items[0]["error"]


@every_command
def test_outputs_are_readable_by_whom_the_user_lets(
    resattn: Shell, inputs: Path, tmp_path: Path, command: Command
) -> None:
    """The permissions of every output follow the umask, however it was written."""
    before = os.umask(0o027)
    try:
        assert resattn(*command.line(inputs, tmp_path / "out")).code == 0
    finally:
        os.umask(before)
    modes = {
        path.name: path.stat().st_mode & 0o777
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    assert set(modes.values()) == {0o640}, modes


@every_command
def test_f17_a_full_disk(
    resattn: Shell, small_disk, inputs: Path, tmp_path: Path, command: Command
) -> None:
    before = contents(inputs)
    with small_disk(1024) as folder:
        out = folder / "out"
        done = resattn(*command.line(inputs, out))
        assert [path for path in out.rglob("*") if path.stat().st_size > 4096] == []
        assert not [path for path in out.rglob("*") if ".part" in path.name]
    assert done.code == 1
    assert set(coded(done.err)) == {"E401"}
    assert contents(inputs) == before


@every_command
def test_f18_a_disk_that_cannot_be_written(
    resattn: Shell, read_only_disk: Path, inputs: Path, command: Command
) -> None:
    done = resattn(*command.line(inputs, read_only_disk))
    assert done.code == 1
    assert set(coded(done.err)) == {"E402"}
    below = resattn(*command.line(inputs, read_only_disk / "new"))
    assert set(coded(below.err)) == {"E402"}


@every_command
def test_f18_a_file_where_the_folder_should_be(
    resattn: Shell, inputs: Path, tmp_path: Path, command: Command
) -> None:
    (tmp_path / "out").write_bytes(b"mine")
    done = resattn(*command.line(inputs, tmp_path / "out"))
    assert done.code in (1, 2)
    assert set(coded(done.err)) == {"E402"}
    assert (tmp_path / "out").read_bytes() == b"mine"


@every_command
@pytest.mark.parametrize("link", ["the same name", "a symbolic link", "a hard link"])
def test_f19_an_input_is_never_overwritten(
    resattn: Shell, inputs: Path, tmp_path: Path, command: Command, link: str
) -> None:
    """Both items would be written over their own first input."""
    out = tmp_path / "out"
    out.mkdir()
    sources = sorted(inputs.iterdir())
    for name in "ab":
        source = next(path for path in sources if path.name.startswith(name))
        target = out / command.output.format(name)
        if link == "a symbolic link":
            target.symlink_to(source)
        elif link == "a hard link":
            target.hardlink_to(source)
        else:
            source.rename(target)
            source.symlink_to(target)
    before = {path: path.read_bytes() for path in sources}
    done = resattn(*command.line(inputs, out, "--overwrite"))
    assert done.code == 2
    assert coded(done.err) == ["E403"]
    assert {path: path.read_bytes() for path in sources} == before


@every_command
def test_f20_what_exists_is_kept(
    resattn: Shell, inputs: Path, tmp_path: Path, command: Command
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / command.output.format("a")).write_bytes(b"earlier")
    refused = resattn(*command.line(inputs, out))
    assert refused.code == 2
    assert coded(refused.err) == ["E404"]
    assert contents(out) == {command.output.format("a"): b"earlier"}
    skipped = resattn(*command.line(inputs, out, "--skip-existing"))
    assert skipped.code == 0, skipped.err
    assert (out / command.output.format("a")).read_bytes() == b"earlier"
    assert contents(out).keys() == {command.output.format("a"), *command.outputs("b")}


@every_command
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["TERM", "INT"]
)
def test_f21_a_signal_leaves_whole_files_only(
    resattn: Shell, inputs: Path, tmp_path: Path, command: Command, number: int, code: int
) -> None:
    """The signal arrives while the first item is being written."""
    whole = tmp_path / "whole"
    assert resattn(*command.line(inputs, whole)).code == 0

    def interrupt(point: str) -> None:
        if point in ("write", "write_window"):
            os.kill(os.getpid(), number)

    with watched_by(interrupt):
        done = resattn(*command.line(inputs, tmp_path / "out"))
    assert done.code == code, done.err
    assert "Traceback" not in done.err
    left = contents(tmp_path / "out")
    assert not left.keys() - command.outputs("a")
    assert all(data == (whole / name).read_bytes() for name, data in left.items())
    again = resattn(*command.line(inputs, tmp_path / "out", "--overwrite"))
    assert again.code == 0
    assert contents(tmp_path / "out") == contents(whole)
