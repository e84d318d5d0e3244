"""Every output says what made it: command, version, hash of the options; and no time, no path."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from resattn.io.image import read_image
from resattn.io.raster import open_raster
from resattn.io.xmp import with_facts
from resattn.version import __version__
from tests.faults.commands import COMMANDS, Command
from tests.shell import Shell


def facts(path: Path) -> dict[str, str]:
    if path.suffix == ".tif":
        with open_raster(path) as raster:
            tags = raster.info.tags
        return {k.removeprefix("RESATTN_").lower(): v for k, v in tags.items() if "RESATTN" in k}
    if path.suffix in (".png", ".jpg", ".webp"):
        xmp = (read_image(path).info.metadata.xmp or b"").decode()
        return dict(re.findall(r'resattn:(\w+)="([^"]*)"', xmp))
    text = path.read_text(errors="replace")
    return dict(re.findall(r'"(version|command|config_sha256)": "([^"]*)"', text))


# A .rac says its format and its network by hash, in a header of its own; decompress gives back what
# was compressed, and adds nothing.
UNSTAMPED = ("compress", "decompress")
STAMPED = {name: one for name, one in COMMANDS.items() if one.options[0] not in UNSTAMPED}


@pytest.mark.parametrize("command", STAMPED.values(), ids=STAMPED.keys())
def test_every_output_says_what_made_it(
    resattn: Shell,
    small_networks: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    command: Command,
) -> None:
    monkeypatch.setenv("RESATTN_HOME", str(small_networks))
    (tmp_path / "in").mkdir()
    command.make(tmp_path / "in", "a")
    out = tmp_path / "out"
    assert resattn(*command.line(tmp_path / "in", out, "--skip-existing")).code == 0
    paths = [path for path in out.iterdir() if path.is_file()]
    assert {path.name for path in paths} == command.outputs("a")
    for path in paths:
        found = facts(path)
        assert found["command"] == command.options[0], path.name
        assert found["version"] == __version__, path.name
        assert re.fullmatch(r"[0-9a-f]{64}", found["config_sha256"]), path.name
        assert str(tmp_path).encode() not in path.read_bytes(), path.name


PACKET = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="x"><rdf:Description '
    b'rdf:about="" dc:title="mine"/></rdf:RDF></x:xmpmeta>'
)


def test_xmp_keeps_what_was_there_and_replaces_what_was_ours() -> None:
    once = with_facts(PACKET, {"version": '1 "<&'})
    assert b'dc:title="mine"' in once
    assert b"&lt;&amp;" in once
    twice = with_facts(once, {"version": "2"})
    assert twice == with_facts(PACKET, {"version": "2"})
    assert b'resattn:version="2"' in with_facts(None, {"version": "2"})


def test_xmp_that_is_not_understood_is_left_alone() -> None:
    assert with_facts(b"no packet", {"version": "2"}) == b"no packet"
