"""`.rac` files on disk: written unit by unit and verified, opened for reading any tile."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self

from resattn.codec import container
from resattn.codec.container import Layout, VersionError, front, read_layout
from resattn.codec.damage import DamageError
from resattn.codec.header import NETWORK, Head, empty_index
from resattn.codec.maker import Maker
from resattn.codec.samples import Scale
from resattn.errors import ItemError, OutputError
from resattn.io.atomic import StagedFile, reporting
from resattn.io.faultpoints import reach
from resattn.io.names import shown
from resattn.io.sniff import Limits, identify, open_regular

if TYPE_CHECKING:
    from resattn.codec.tiles import Unit

_PIECE = 2**20


class RacWriter:
    """A `.rac` file in the making: tile after tile, then verified and named.

    On leaving the block without an error the index is filled in, the file is read back, compared
    and renamed to `target`; on an error nothing is left. Memory does not grow with the image.

    Args:
        target: The file to be made.
        head: What is coded.
        chunks: Metadata by tag.
        inputs: Files being read, none of which may be the target.
        overwrite: Replace the target if it exists.

    Raises:
        OutputError: E401 if the disk is full, fails or gives back other bytes; E402–E404 as
            `resattn.io.atomic.check_target` says.
        ValueError: If units are missing or too many at the end.
    """

    def __init__(
        self,
        target: Path,
        head: Head,
        chunks: Mapping[bytes, bytes],
        *,
        inputs: Iterable[Path] = (),
        overwrite: bool = False,
    ) -> None:
        self._head, self._chunks = head, chunks
        self._index = empty_index(head.tiles * len(head.roles))
        self._written = 0
        self._sum = 0
        self._staged = StagedFile(target, inputs=inputs, overwrite=overwrite)
        self._stack = ExitStack()
        self._stream: BinaryIO

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._staged)
            with reporting(self._staged.target):
                reach("open")
                self._stream = self._staged.temporary.open("xb")
                stack.callback(self._close_quietly)
                self._put(self._front())
            self._stack = stack.pop_all()
        return self

    def write(self, units: Sequence[Unit]) -> None:
        """The units of the next tile.

        Raises:
            OutputError: E401 if the disk is full or fails.
        """
        with reporting(self._staged.target):
            for unit in units:
                self._index[self._written] = unit.entry
                self._written += 1
                self._sum = zlib.crc32(unit.payload, self._sum)
                self._put(unit.payload)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            self._finish()

    def _finish(self) -> None:
        if self._written != len(self._index):
            raise ValueError(f"{self._written} of {len(self._index)} units were written")
        start = self._front()
        with reporting(self._staged.target):
            self._stream.seek(0)
            self._put(start)
            self._stream.close()
            reach("read")
            with self._staged.temporary.open("rb") as written:
                same = written.read(len(start)) == start
                found = 0
                while piece := written.read(_PIECE):
                    found = zlib.crc32(piece, found)
        if not same or found != self._sum:
            raise OutputError(
                f"{shown(self._staged.target)} did not read back as written",
                "check the disk and its free space",
                code="E401",
            )

    def _close_quietly(self) -> None:
        # The file is about to be removed, or was closed before it was verified.
        with suppress(OSError):
            self._stream.close()

    def _front(self) -> bytes:
        return front(self._head, self._chunks, self._index)

    def _put(self, data: bytes) -> None:
        reach("write")
        self._stream.write(data)


@dataclass(frozen=True, slots=True)
class RacFile:
    """An open file.

    Attributes:
        path: Its name.
        layout: Everything but its units.
        scale: Of all bands.
        stream: Its bytes.
        maker: What made it, if it says so.
    """

    path: Path
    layout: Layout
    scale: Scale
    stream: BinaryIO
    maker: Maker | None = None

    @property
    def head(self) -> Head:
        """What is coded."""
        return self.layout.head

    @property
    def needs_network(self) -> bool:
        """Whether any unit is of the network; where all are exact, none has to be installed."""
        return bool((self.layout.index["kind"] == NETWORK).any())

    def check_whole(self) -> None:
        """Refuses a file that does not end where its last unit does.

        Raises:
            ItemError: E301.
        """
        if not self.layout.is_whole:
            expected, size = int(self.layout.offsets[-1]), self.layout.size
            raise damaged(self.path, f"it has {size} bytes where {expected} are due")


@contextmanager
def open_rac(path: Path) -> Iterator[RacFile]:
    """A `.rac` file open for reading, its header and index checked, not its units.

    Raises:
        ItemError: E301 if it is damaged there, E304, E308 or E310 if it is no such file, E310 also
            if it is of a later version, E314 or E315 if it cannot be read.
    """
    with open_regular(path) as stream:
        if stream.read(len(container.SIGNATURE)) != container.SIGNATURE:
            raise _unlike(path)
        try:
            layout = read_layout(stream)
            head = layout.head
            bands = layout.chunks.get(container.BANDS)
            if bands is None:
                scale = Scale.of_type(head.dtype, head.bands)
            else:
                scale = Scale.unpack(bands, head.bands)
            made = layout.chunks.get(container.MADE)
            maker = None if made is None else Maker.unpack(made)
        except VersionError as error:
            raise ItemError(
                f"{shown(path)} is of a newer format: {error}", "update resattn", code="E310"
            ) from error
        except DamageError as error:
            raise damaged(path, str(error)) from error
        yield RacFile(path, layout, scale, stream, maker)


def peek(path: Path) -> Layout | None:
    """The layout of a file, or None where `open_rac` will say why there is none."""
    try:
        with path.open("rb") as stream:
            return read_layout(stream)
    except (OSError, DamageError, VersionError):
        return None


def _unlike(path: Path) -> ItemError:
    """The error of a file that is something else."""
    try:
        kind = f"a {identify(path, Limits()).format.upper()} image"
    except ItemError as error:
        if error.code in ("E308", "E310"):
            return error
        kind = "empty" if path.stat().st_size == 0 else "something else"
    return ItemError(
        f"{shown(path)} is no .rac file but {kind}", "name one that compress made", code="E304"
    )


def damaged(path: Path, why: str) -> ItemError:
    """The error of a file whose bytes contradict themselves."""
    return ItemError(
        f"{shown(path)} is truncated or damaged: {why}",
        "obtain the file again, or take what is intact with: resattn decompress --salvage",
        code="E301",
    )
