"""Completion in a real bash: what Tab gives."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")


@pytest.fixture
def tab(tmp_path):
    """`tab("resattn", "pan")` gives what bash would offer for the last word."""
    launcher = tmp_path / "bin" / "resattn"
    launcher.parent.mkdir()
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m resattn "$@"\n')
    launcher.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{launcher.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
    }

    def press(*words):
        quoted = " ".join(f"'{word}'" for word in words)
        script = (
            'eval "$(resattn completion bash)"\n'
            f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}\n"
            "_resattn_completion resattn\n"
            'printf "%s\\n" "${COMPREPLY[@]}"\n'
        )
        done = subprocess.run(
            ["bash", "-c", script], capture_output=True, text=True, env=environment, check=True
        )
        assert done.stderr == ""
        return done.stdout.split()

    return press


def test_a_verb_is_completed(tab):
    assert tab("resattn", "pan") == ["pansharpen"]


def test_an_option_of_a_verb_is_completed(tab):
    assert tab("resattn", "metrics", "--fail") == ["--fail-under", "--fail-over"]


def test_values_of_a_choice_are_completed(tab):
    assert tab("resattn", "metrics", "--format", "js") == ["json", "jsonl"]


@pytest.mark.parametrize(("shell", "word"), [("zsh", "#compdef"), ("fish", "complete --command")])
def test_other_shells_get_their_script(resattn, shell, word):
    done = resattn("completion", shell)
    assert (done.code, word in done.out) == (0, True)


def test_the_shell_of_the_user_is_the_default(resattn, monkeypatch):
    monkeypatch.setenv("SHELL", "/usr/bin/zsh")
    assert "compdef" in resattn("completion").out
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    assert resattn("completion").code == 2
