"""F27: an argument of no letters, as an unset shell variable is, never means the current folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from resattn.cli.verbs import VERBS
from resattn.errors import UserError
from resattn.pipelines.sources import absolute, gather
from tests.faults.commands import contents, photograph
from tests.shell import Shell

NAMED = ("a.png", "--out", "out")
OPTIONS = ("-o", "--report", "--reference", "--weights", "--config", "--log-file")
LINES = (
    ("", "--out", "out"),
    (*NAMED, ""),
    (*NAMED, "--", ""),
    *((*NAMED, name, "") for name in OPTIONS),
    *((*NAMED, f"{name}=") for name in OPTIONS[1:]),
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a photograph that nobody named."""
    photograph(tmp_path, "a")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("verb", VERBS)
def test_f27_an_empty_argument_is_refused(resattn: Shell, here: Path, verb: str) -> None:
    before = contents(here)
    for more in LINES:
        done = resattn(verb, *more)
        assert done.code == 2, more
        place = next(text for text in more[::-1] if text) if more[0] else verb
        assert done.err.startswith(f"error[E208] the argument after {place} is empty"), more
        assert done.err.count("\n") == 1, more
        assert ". is the current folder" in done.err
        assert contents(here) == before
        assert [path.name for path in here.iterdir()] == ["a.png"], more


@pytest.mark.parametrize("setting", ['out = ""', 'reference = ""', 'report = [""]'])
def test_f27_an_empty_path_in_a_config_file_is_refused(
    resattn: Shell, here: Path, setting: str
) -> None:
    (here / "options.toml").write_text(setting)
    done = resattn("segment-wound", "a.png", "--config", "options.toml")
    assert done.code == 2
    assert f"{setting.split()[0]} is empty" in done.err
    assert {path.name for path in here.iterdir()} == {"a.png", "options.toml"}


def test_f27_an_empty_variable_of_the_environment_is_unset(
    resattn: Shell, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OUT", "REFERENCE", "REPORT"):
        monkeypatch.setenv(f"RESATTN_{name}", "")
    done = resattn("segment-wound", "a.png")
    assert done.code == 2
    assert "Missing option '--out'" in done.err
    assert [path.name for path in here.iterdir()] == ["a.png"]


def test_f27_functions_refuse_an_empty_path(here: Path) -> None:
    for call in (gather, lambda names: absolute(names[0])):
        with pytest.raises(UserError) as refused:
            call([""])
        assert refused.value.code == "E202"
        assert "is the current folder" in refused.value.hint
