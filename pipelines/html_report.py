"""A run as one HTML file that needs no network, no server and no framework.

The page's own Content-Security-Policy forbids every request and every script but its own, so a
file name that looks like markup can do nothing even if it slipped through.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any, Final

from resattn.pipelines.html_gallery import gallery
from resattn.pipelines.html_tables import distributions, items, means, together
from resattn.pipelines.result import Result
from resattn.pipelines.summary import summary

_PAGE: Final = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="$policy">
<title>$title</title><style>$style</style></head>
<body><header><h1>$title</h1><p class="state">$state</p></header>
<main>$main</main><script>$script</script></body></html>
""")


def to_html(results: Sequence[Result], document: Mapping[str, Any]) -> str:
    """The page of a run.

    Args:
        results: One per item; the pictures are read from their files.
        document: The same run as the JSON report has it.
    """
    found = summary(results)
    single = [result for result in results if not result.of_run]
    style, script = (_asset(f"report.{ending}") for ending in ("css", "js"))
    sections = (
        _troubles(results, document["gates_not_met"]),
        together(found),
        means(found),
        gallery(single),
        distributions(single, found),
        items(single),
        _origin(document),
    )
    count = len(single)
    return _PAGE.substitute(
        policy=f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{_hash(script)}'",
        title=html.escape(f"{document['command']}: {count} item{'s' * (count != 1)}"),
        state=_state(found["items"]),
        style=style,
        script=script,
        main="".join(sections),
    )


def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _state(counts: Mapping[str, int]) -> str:
    words = {"ok": "finished", "failed": "failed", "skipped": "skipped"}
    return " ".join(
        f'<span class="{status}">{count} {words[status]}</span>'
        for status, count in counts.items()
        if count
    )


def _troubles(results: Sequence[Result], gates: Sequence[str]) -> str:
    """What needs attention: gates that were not met, and items that failed."""
    troubles = [*gates, *(result.error for result in results if result.error)]
    if not troubles:
        return ""
    lines = "".join(f"<li>{html.escape(text)}</li>" for text in troubles)
    return f'<section class="trouble"><h2>Needs attention</h2><ul>{lines}</ul></section>'


def _origin(document: Mapping[str, Any]) -> str:
    """How the run was called, with which options and versions."""
    command = html.escape(shlex.join(["resattn", *map(str, document["argv"])]))
    texts = {
        name: html.escape(json.dumps(document[key], indent=2, ensure_ascii=False))
        for name, key in (("Options", "config"), ("Versions", "environment"))
    }
    blocks = "".join(
        f"<details><summary>{name}</summary><pre>{text}</pre></details>"
        for name, text in texts.items()
    )
    return f"<section><h2>How it was made</h2><pre>{command}</pre>{blocks}</section>"
