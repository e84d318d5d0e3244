"""What made a `.rac` file, as the bytes of its MADE chunk and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from resattn.codec.damage import DamageError

_OPTIONS_BYTES: Final = 8
"""As many as the header spends on the hash of the network: a small picture should stay small."""

_VERSION_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class Maker:
    """The program and the options that made a file.

    Attributes:
        version: Of this program.
        options: The first 16 hexadecimal digits of the SHA-256 of the options.
    """

    version: str
    options: str

    @classmethod
    def of(cls, version: str, options_sha256: str) -> Self:
        """The maker with a version, given the hash of its options."""
        return cls(version, options_sha256[: 2 * _OPTIONS_BYTES])

    def pack(self) -> bytes:
        """The MADE chunk."""
        return bytes.fromhex(self.options) + self.version.encode("ascii")

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """The maker of a MADE chunk.

        Raises:
            DamageError: If the chunk is too short, or its version is no short printable text.
        """
        options, version = data[:_OPTIONS_BYTES], data[_OPTIONS_BYTES:]
        text = version.decode("ascii", "replace")
        if len(options) < _OPTIONS_BYTES or len(text) > _VERSION_BYTES or not text.isprintable():
            raise DamageError(f"it says that {data[:100]!r} made it")
        return cls(text, options.hex())
