"""Messages: the log of the library on stderr, results on stdout."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator

from resattn.cli.options import TalkOptions
from resattn.errors import ResattnError


def start_logging(talk: TalkOptions) -> None:
    """Sends the library's log to stderr and, where asked, to a file."""
    level = logging.ERROR if talk.quiet else logging.INFO if talk.verbose else logging.WARNING
    logger = logging.getLogger("resattn")
    logger.setLevel(logging.DEBUG if talk.debug else level)
    logger.handlers.clear()
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if talk.log_file is not None:
        handlers.append(logging.FileHandler(talk.log_file, encoding="utf-8", errors="replace"))
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        logger.addHandler(handler)


@contextlib.contextmanager
def traceback_if(debug: bool) -> Iterator[None]:
    """Lets an expected error keep its traceback under ``--debug``."""
    try:
        yield
    except ResattnError:
        if debug:
            logging.getLogger("resattn").debug("traceback", exc_info=True)
        raise
