"""Every output says what made it: command, version, hash of the options; and no time, no path.

A form that has no place for it, such as CSV, lies beside one that has.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from safetensors import safe_open

from resattn import demo
from resattn.cli.verbs import VERBS
from resattn.codec.damage import DamageError
from resattn.codec.maker import Maker
from resattn.io.image import read_image
from resattn.io.raster import open_raster
from resattn.io.xmp import facts_in, with_facts
from resattn.pipelines.provenance import succeeding
from resattn.pipelines.rac import describe
from resattn.version import __version__
from tests.faults.commands import COMMANDS, Command, photograph
from tests.shell import Shell

Facts = Mapping[str, str]


def of_raster(path: Path) -> Facts:
    with open_raster(path) as raster:
        tags = raster.info.tags
    return {k.removeprefix("RESATTN_").lower(): v for k, v in tags.items() if "RESATTN" in k}


def of_photograph(path: Path) -> Facts:
    return facts_in(read_image(path).info.metadata.xmp)


def of_rac(path: Path) -> Facts:
    made: Facts = describe(path)["made_by"]
    return {**made, "config_sha256": made["config_sha256_prefix"]}


def of_geopackage(path: Path) -> Facts:
    with closing(sqlite3.connect(path)) as database:
        ((text,),) = database.execute("SELECT description FROM gpkg_contents")
    return json.loads(text)


def of_text(path: Path) -> Facts:
    text = html.unescape(path.read_text(errors="replace"))
    return dict(re.findall(r'"(version|command|config_sha256)": "([^"]*)"', text))


def of_weights(path: Path) -> Facts:
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()["resattn"])


READERS: dict[str, Callable[[Path], Facts]] = {
    ".tif": of_raster,
    **dict.fromkeys((".png", ".jpg", ".webp"), of_photograph),
    ".rac": of_rac,
    ".gpkg": of_geopackage,
    **dict.fromkeys((".json", ".geojson", ".xml", ".svg", ".html"), of_text),
}


def beside(path: Path) -> Path:
    """The file that says what made a table of a series, the classes of YOLO or another form."""
    if path.name.endswith(".series.csv"):
        return next((path.parent / path.name.split(".")[0]).glob("*.json"))
    return next(path.parent.glob("*.json")) if path.name == "classes.txt" else (
        path.with_suffix(".json")
    )  # fmt: skip


def check(folder: Path, verb: str) -> set[str]:
    """The names of all files of a folder, each of which says what made it."""
    paths = [path for path in folder.rglob("*") if path.is_file() and ".resattn" not in path.parts]
    for path in paths:
        said = path if path.suffix in READERS else beside(path)
        found = READERS[said.suffix](said)
        assert found["command"] == verb, path.name
        assert found["version"] == __version__, path.name
        assert re.fullmatch(r"[0-9a-f]{16}([0-9a-f]{48})?", found["config_sha256"]), path.name
        assert str(folder.parent).encode() not in path.read_bytes(), path.name
    return {path.name for path in paths}


@pytest.fixture(autouse=True)
def _weights(small_networks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESATTN_HOME", str(small_networks))


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_every_output_says_what_made_it(resattn: Shell, tmp_path: Path, command: Command) -> None:
    (tmp_path / "in").mkdir()
    command.make(tmp_path / "in", "a")
    out = tmp_path / "out"
    assert resattn(*command.line(tmp_path / "in", out, "--skip-existing")).code == 0
    assert check(out, command.options[0]) == command.outputs("a")


def test_every_form_of_objects_says_what_made_it(resattn: Shell, tmp_path: Path) -> None:
    shutil.copy(demo.path("marburg_ms"), tmp_path / "a.tif")
    line = ["detect", tmp_path / "a.tif", "--weights", "detect.tiny", "--score", "0.9"]
    every = ("--write", "geojson,gpkg,csv,yolo,voc")
    for out, more in (("all", every), ("one/a.csv", ()), ("two/a.txt", ())):
        done = resattn(*line, "--out", tmp_path / out, *more)
        assert done.code == 0, done.err
    assert {name.rpartition(".")[2] for name in check(tmp_path / "all", "detect")} == {
        "json", "geojson", "gpkg", "csv", "txt", "xml",
    }  # fmt: skip
    assert check(tmp_path / "one", "detect") == {"a.csv", "a.json"}
    assert check(tmp_path / "two", "detect") == {"a.txt", "a.json", "classes.txt"}


def test_every_file_of_a_series_says_what_made_it(resattn: Shell, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("2024-01-01", "2024-01-08"):
        photograph(tmp_path / "in", name)
    done = resattn("segment-wound", tmp_path / "in", "--out", tmp_path / "out", "--follow-up")
    assert done.code == 0, done.err
    names = check(tmp_path / "out", "segment-wound")
    assert {name.rpartition(".")[2] for name in names} == {"csv", "svg", "png", "json"}


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_every_form_of_pictures_says_what_made_it(
    resattn: Shell, tmp_path: Path, suffix: str
) -> None:
    for folder in ("in", "large", "small", "back"):
        (tmp_path / folder).mkdir()
    photograph(tmp_path / "in", "a")
    source, large = tmp_path / "in" / "a.png", tmp_path / "large" / f"a{suffix}"
    small, back = tmp_path / "small" / "a.rac", tmp_path / "back" / f"a{suffix}"
    for line in (
        ["super-resolve", source, "--model", "tiny", "--scale", "2", "--out", large],
        ["compress", "--lossless", large, "--out", small],
        ["decompress", small, "--out", back],
    ):
        assert resattn(*line).code == 0, line
        check(line[-1].parent, line[0])
    found = READERS[suffix](back)
    assert found["coded_by"] == f"compress {__version__}"
    assert found["coded_config_sha256"] == of_rac(small)["config_sha256"]
    assert found["input_command"] == "super-resolve", "what the picture said is still there"
    assert found["input_weights_sha256"] == READERS[suffix](large)["weights_sha256"]


def test_adapted_weights_and_reports_say_what_made_them(resattn: Shell, tmp_path: Path) -> None:
    scene = (demo.path("marburg_pan"), demo.path("marburg_ms"))
    options = ("--method", "lambda-pnn", "--adapt-steps", "1", "--no-registration", "--no-metrics")
    reports = [tmp_path / f"r.{suffix}" for suffix in ("json", "csv", "html")]
    given = [word for report in reports for word in ("--report", report)]
    done = resattn(
        "pansharpen", *scene, "--out", tmp_path / "a.tif", *options, "--save-weights", *given
    )
    assert done.code == 0, done.err
    assert of_raster(tmp_path / "a.tif")["method"] == "lambda-pnn"
    (weights,) = tmp_path.glob("*.safetensors")
    assert "pansharpen" in of_weights(weights)["command"]
    for report in reports:
        text = report.read_text()
        assert "pansharpen" in text, report.name
        assert __version__ in text, report.name


def test_every_verb_that_writes_pictures_is_in_the_table() -> None:
    """A new verb needs a line in `COMMANDS`; the other verbs write reports, weights or nothing."""
    assert {one.options[0] for one in COMMANDS.values()} == {
        name for name, verb in VERBS.items() if verb.job
    }


PACKET = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="x"><rdf:Description '
    b'rdf:about="" dc:title="mine"/></rdf:RDF></x:xmpmeta>'
)


def test_xmp_keeps_what_was_there_and_replaces_what_was_ours() -> None:
    once = with_facts(PACKET, {"version": "1 \"<&'"})
    assert b'dc:title="mine"' in once
    assert b"&lt;&amp;" in once
    assert facts_in(once) == {"version": "1 \"<&'"}
    twice = with_facts(once, {"version": "2"})
    assert twice == with_facts(PACKET, {"version": "2"})
    assert facts_in(with_facts(None, {"version": "2"})) == {"version": "2"}
    assert facts_in(PACKET) == facts_in(None) == {}


def test_xmp_that_is_not_understood_is_left_alone() -> None:
    assert with_facts(b"no packet", {"version": "2"}) == b"no packet"


def test_what_an_input_said_is_kept_for_one_step() -> None:
    first = succeeding({"SENSOR": "x"}, {"RESATTN_COMMAND": "one", "RESATTN_METHOD": "m"})
    second = succeeding(first, {"RESATTN_COMMAND": "two"})
    assert second == {
        "SENSOR": "x", "RESATTN_COMMAND": "two", "RESATTN_INPUT_COMMAND": "one",
        "RESATTN_INPUT_METHOD": "m",
    }  # fmt: skip
    third = succeeding(second, {"RESATTN_COMMAND": "three"})
    assert third["RESATTN_INPUT_COMMAND"] == "two"
    assert "RESATTN_INPUT_METHOD" not in third, "it was not this input's"


@pytest.mark.parametrize("data", [b"", b"1234567", b"12345678\x1b[2J", b"12345678" + b"1" * 65])
def test_f3_a_maker_that_cannot_be_is_damage(data: bytes) -> None:
    assert Maker.unpack(Maker("1.0", "00" * 8).pack()) == Maker("1.0", "00" * 8)
    with pytest.raises(DamageError):
        Maker.unpack(data)
