"""Facts about how a picture was made, as XMP: the one block that PNG, JPEG and WebP all carry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.sax.saxutils import quoteattr, unescape

_NAMESPACE = "urn:resattn:1"
_END = b"</rdf:RDF>"
_OURS = re.compile(rb'<rdf:Description rdf:about="" xmlns:resattn="urn:resattn:1"[^>]*/>\n?')
_FACT = re.compile(r'resattn:(\w+)=(?:"([^"]*)"|\'([^\']*)\')')
_QUOTES = {"&quot;": '"', "&#10;": "\n", "&#13;": "\r", "&#9;": "\t"}
_EMPTY = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b"</rdf:RDF></x:xmpmeta>"
)


def with_facts(packet: bytes | None, facts: Mapping[str, str]) -> bytes:
    """The packet with the facts in the place of those an earlier run left; a new one for None.

    What cannot be understood is left as it is.

    Args:
        packet: XMP as stored in a file.
        facts: Values by name, a letter and then letters, digits and underscores.
    """
    kept = _OURS.sub(b"", _EMPTY if packet is None else packet)
    values = " ".join(f"resattn:{name}={quoteattr(text)}" for name, text in facts.items())
    made = f'<rdf:Description rdf:about="" xmlns:resattn="{_NAMESPACE}" {values}/>\n'
    before, end, after = kept.rpartition(_END)
    return before + made.encode() + end + after if end else kept


def facts_in(packet: bytes | None) -> dict[str, str]:
    """The facts that `with_facts` put into a packet; none where there is none of ours."""
    ours = _OURS.search(packet or b"")
    found = _FACT.findall(ours[0].decode("utf-8", "replace")) if ours else []
    return {name: unescape(one or other, _QUOTES) for name, one, other in found}
