"""Folders by one process, several, shards or a cluster: the same bytes and the same report."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from resattn.io.image import write_image
from tests.faults import commands
from tests.faults.commands import COMMANDS, Command
from tests.shell import Finished, Shell

TWO = {name: COMMANDS[name] for name in ("pansharpen", "super-resolve a photograph")}
NAMES = ("a", "b", "c", "d", "e")

both = pytest.mark.parametrize("command", TWO.values(), ids=TWO)


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from resattn.weights.index import Shelf

    folder = tmp_path_factory.mktemp("shelf")
    commands.fill(Shelf(folder))
    return folder


@pytest.fixture
def source(tmp_path: Path, networks: Path, monkeypatch: pytest.MonkeyPatch, command: Command):
    """Five items, one of which cannot be read."""
    monkeypatch.setenv("RESATTN_HOME", str(networks))
    folder = tmp_path / "in"
    folder.mkdir()
    for name in NAMES:
        command.make(folder, name)
    victim = min(path for path in folder.iterdir() if path.name.startswith("c"))
    victim.write_bytes(victim.read_bytes()[:60])
    return folder


def hashes(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if ".resattn" not in path.parts
    }


def report(path: Path, out: Path) -> dict:
    """What a report says, without time and place."""
    document = json.loads(path.read_text().replace(str(out), "OUT"))
    for item in document["items"]:
        del item["seconds"]
    return {key: document[key] for key in ("command", "config", "summary", "items")}


@both
def test_processes_and_shards_agree_with_one_process(
    resattn: Shell, source: Path, tmp_path: Path, command: Command
) -> None:
    def run(name: str, *more: object) -> Finished:
        return resattn(*command.line(source, tmp_path / name, *more))

    def told(name: str, done: Finished) -> tuple:
        out = tmp_path / name
        return done.code, done.err, hashes(out), report(tmp_path / f"{name}.json", out)

    one = told("one", run("one", "--report", tmp_path / "one.json"))
    assert one[0] == 1
    assert "error[E301] c" in one[1]
    assert one[2].keys() == command.outputs("a", "b", "d", "e")
    two = told("two", run("two", "--workers", 2, "--report", tmp_path / "two.json"))
    assert two == one
    for index in (2, 3, 1):
        run("three", "--shard", f"{index}/3")
    merged = resattn("merge", tmp_path / "three", "--report", tmp_path / "three.json")
    assert told("three", merged) == one


@pytest.mark.slow
@both
def test_a_cluster_agrees_with_one_process_although_a_worker_is_killed(
    resattn: Shell, source: Path, tmp_path: Path, command: Command
) -> None:
    pytest.importorskip("distributed")
    resattn(*command.line(source, tmp_path / "one"))
    out = tmp_path / "cluster"
    line = [*command.line(source, out), "--scheduler", "local:2"]
    process = subprocess.Popen([sys.executable, "-m", "resattn", *line], stderr=subprocess.DEVNULL)
    while not started(out) and process.poll() is None:
        time.sleep(0.02)
    killed = kill_a_worker(process.pid)  # while it loads its networks for the first item
    assert process.wait(timeout=300) == 1
    assert killed, "no worker was found: the test proves nothing"
    assert hashes(out) == hashes(tmp_path / "one")


def started(out: Path) -> bool:
    return any('"start"' in path.read_text() for path in out.glob(".resattn/*.jsonl"))


def kill_a_worker(parent: int) -> bool:
    """SIGKILL for a grandchild that computes: Dask's workers are children of the run."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, rest = entry.parent.name, entry.read_text().rpartition(")")[2].split()
            line = (entry.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(rest[1]) == parent and b"spawn_main" in line:
            found.append(int(pid))
    if found:
        os.kill(max(found), signal.SIGKILL)
    return bool(found)


@pytest.mark.parametrize("command", [TWO["super-resolve a photograph"]], ids=["photographs"])
def test_a_signal_finishes_the_item_in_hand_and_resume_makes_the_rest(
    resattn: Shell, source: Path, tmp_path: Path, command: Command, monkeypatch
) -> None:
    """The signal arrives while the second item is read."""
    from resattn.pipelines import super_resolve

    whole = resattn(*command.line(source, tmp_path / "whole", "--report", tmp_path / "whole.json"))
    taken = []

    def opened(path, **options):
        taken.append(path.stem)
        if len(taken) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return pictures(path, **options)

    pictures = super_resolve.open_picture
    monkeypatch.setattr(super_resolve, "open_picture", opened)
    line = command.line(source, tmp_path / "out", "--report", tmp_path / "out.json", "--grace", 300)
    monkeypatch.setattr(sys, "argv", ["resattn", *line])
    stopped = resattn(*line)
    assert stopped.code == 130
    assert taken == ["a", "b"]
    assert f"stopped after 2 of 5 items; continue with: resattn {' '.join(line)} --resume" in (
        stopped.err
    )
    assert hashes(tmp_path / "out").keys() == command.outputs("a", "b")
    half = json.loads((tmp_path / "out.json").read_text())
    assert [item["name"] for item in half["items"]] == ["a", "b"]
    resumed = resattn(*line, "--resume")
    assert taken == ["a", "b", "c", "d", "e"]
    assert resumed.code == whole.code
    assert hashes(tmp_path / "out") == hashes(tmp_path / "whole")
    assert report(tmp_path / "out.json", tmp_path / "out") == report(
        tmp_path / "whole.json", tmp_path / "whole"
    )


@pytest.mark.parametrize("command", [TWO["super-resolve a photograph"]], ids=["photographs"])
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_f21_an_item_that_outlasts_the_grace_is_given_up(
    resattn: Shell, source: Path, tmp_path: Path, command: Command, workers: int
) -> None:
    """The photograph `b` takes minutes; its neighbour is whole or absent."""
    write_image(source / "b.png", np.zeros((3, 3000, 3000), np.uint8), overwrite=True)
    out = tmp_path / "out"
    line = command.line(source, out, "--workers", workers, "--grace", 0.2)
    process = subprocess.Popen(
        [sys.executable, "-m", "resattn", *line], stderr=subprocess.PIPE, text=True
    )
    while not list(out.glob("b.*part*")) and process.poll() is None:
        time.sleep(0.02)
    process.terminate()
    told = process.communicate(timeout=60)[1]
    assert process.returncode == 143, told
    assert "items in hand have 0.2 s" in told
    assert "continue with: resattn" in told
    assert hashes(out).keys() <= command.outputs("a", "d", "e")


@pytest.mark.parametrize("command", [TWO["super-resolve a photograph"]], ids=["photographs"])
def test_f24_the_time_limit_is_an_option(
    resattn: Shell, source: Path, tmp_path: Path, command: Command
) -> None:
    write_image(source / "b.png", np.zeros((3, 3000, 3000), np.uint8), overwrite=True)
    done = resattn(*command.line(source / "b.png", tmp_path / "out", "--time-limit", 0.05))
    assert done.code == 1
    assert "error[E502] b: it took more than 0.05 s" in done.err
    assert hashes(tmp_path / "out") == {}


@pytest.mark.parametrize("command", [TWO["super-resolve a photograph"]], ids=["photographs"])
def test_options_that_exclude_each_other(resattn: Shell, source: Path, tmp_path, command) -> None:
    for pair in (
        ("--resume", "--skip-existing"),
        ("--overwrite", "--skip-existing"),
        ("--workers", "2", "--scheduler", "local:2"),
        ("--time-limit", "2", "--scheduler", "local:2"),
    ):
        done = resattn(*command.line(source, tmp_path / "out", *pair))
        assert done.code == 2
        assert "exclude each other" in done.err
    assert not (tmp_path / "out").exists()
