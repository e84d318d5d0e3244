"""Writes docs/help/*.txt from the command line itself; `--check` fails when one is stale."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from resattn.cli.verbs import VERBS

HELP = Path(__file__).parent / "help"


def help_page(verb: str) -> str:
    """What `resattn VERB --help` prints at a fixed width."""
    environment = {**os.environ, "COLUMNS": "100", "TERMINAL_WIDTH": "100", "NO_COLOR": "1"}
    arguments = [sys.executable, "-m", "resattn", *([verb] if verb else []), "--help"]
    page = subprocess.run(arguments, capture_output=True, text=True, check=True, env=environment)
    return page.stdout.replace("python -m resattn", "resattn")


def main() -> int:
    """Writes or checks every page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="report stale pages, write nothing")
    check = parser.parse_args().check
    stale = 0
    HELP.mkdir(exist_ok=True)
    for verb in ["", *VERBS]:
        path = HELP / f"{verb or 'resattn'}.txt"
        text = help_page(verb)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if check:
            sys.stderr.write(f"{path} is stale: run make docs\n")
            stale = 1
        else:
            path.write_text(text, encoding="utf-8")
    return stale


if __name__ == "__main__":
    raise SystemExit(main())
