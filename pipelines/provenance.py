"""Who made this file: tags inside the product that say how it can be made again.

No time and no path goes into the pixels' file, so that the same inputs and options give the same
bytes; the report has those. What an input said of itself is kept for one step: a picture that was
sharpened, compressed and decompressed still says how it was sharpened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from resattn.hashing import json_sha256
from resattn.io.metadata import Metadata
from resattn.io.xmp import facts_in, with_facts
from resattn.version import __version__

_OURS, _INPUT = "RESATTN_", "RESATTN_INPUT_"


def tags(command: str, config: Mapping[str, Any], **facts: str) -> dict[str, str]:
    """What an output says of itself: TIFF tags, or XMP where it is a photograph.

    Args:
        command: The verb.
        config: The options that decide the result; only their hash is kept.
        facts: Further values, such as the method that was chosen.
    """
    return {
        "RESATTN_VERSION": __version__,
        "RESATTN_COMMAND": command,
        "RESATTN_CONFIG_SHA256": json_sha256(dict(config)),
        **{f"RESATTN_{name.upper()}": value for name, value in facts.items()},
    }


def as_facts(tags: Mapping[str, str]) -> dict[str, str]:
    """What `tags` say, under the names that documents and XMP have for it."""
    return {name.removeprefix(_OURS).lower(): text for name, text in tags.items()}


def succeeding(old: Mapping[str, str], tags: Mapping[str, str]) -> dict[str, str]:
    """The tags of an input, with `tags` in the place of ours, which become ``RESATTN_INPUT_…``.

    Args:
        old: All tags of the input; those an input of it had said are dropped.
        tags: What the output says of itself.
    """
    kept = {name: text for name, text in old.items() if not name.startswith(_INPUT)}
    renamed = {
        name.replace(_OURS, _INPUT, 1) if name.startswith(_OURS) else name: text
        for name, text in kept.items()
    }
    return {**renamed, **tags}


def stamped(metadata: Metadata | None, tags: Mapping[str, str]) -> Metadata:
    """The metadata of a photograph as the successor of another, with `tags` as XMP."""
    blocks = metadata or Metadata()
    before = {f"{_OURS}{name.upper()}": text for name, text in facts_in(blocks.xmp).items()}
    return replace(blocks, xmp=with_facts(blocks.xmp, as_facts(succeeding(before, tags))))
