"""Who made this file: tags inside the product that say how it can be made again.

No time and no path goes into the pixels' file, so that the same inputs and options give the same
bytes; the report has those.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from resattn.hashing import json_sha256
from resattn.io.metadata import Metadata
from resattn.io.xmp import with_facts
from resattn.version import __version__


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
    return {name.removeprefix("RESATTN_").lower(): text for name, text in tags.items()}


def stamped(metadata: Metadata | None, tags: Mapping[str, str]) -> Metadata:
    """The metadata of a photograph with the tags of `tags`, which photographs carry as XMP."""
    blocks = metadata or Metadata()
    return replace(blocks, xmp=with_facts(blocks.xmp, as_facts(tags)))
