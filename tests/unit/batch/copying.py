"""Work that any process can do in no time: an input's text, said as often as the config wants."""

from __future__ import annotations

import logging
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from resattn.errors import ItemError
from resattn.io.atomic import write_bytes
from resattn.pipelines.plan import Item, Plan
from resattn.pipelines.portable import Work, portable
from resattn.pipelines.progress import Progress
from resattn.pipelines.result import Result

log = logging.getLogger("resattn.copying")


@dataclass(frozen=True)
class Config:
    times: int = 1
    overwrite: bool = True
    ram: str = "2GB"
    threads: int = 0
    broken: bool = False
    seconds: float = 0.0
    diary: str = ""


@portable
def work(config: Config) -> Work:
    """The words of an input decide what happens to the process that reads them."""
    if config.broken:
        raise ItemError("there is no network", code="E600")

    def copy(item: Item, progress: Progress) -> Result:
        text = item.inputs[0].read_text()
        if config.diary:
            with Path(config.diary).open("a") as stream:
                stream.write(f"{item.name}\n")
        if text.startswith("bad"):
            raise ItemError("it is bad", "make it good")
        if text.startswith("log"):
            log.warning("%s was logged", item.name)
        if text.startswith("poison"):
            os.kill(os.getpid(), signal.SIGKILL)
        if text.startswith("once"):
            marker = item.inputs[0].with_suffix(".died")
            if not marker.exists():
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60 if text.startswith("hang") else config.seconds)
        write_bytes(item.output, text.encode() * config.times, overwrite=config.overwrite)
        facts = {"threads": config.threads}
        return Result(item.name, "ok", (item.output,), {"length": float(len(text))}, {}, facts)

    return copy


def make_plan(folder: Path, texts: dict[str, str]) -> Plan:
    """A plan over one new file per entry, from ``folder/in`` to ``folder/out``."""
    (folder / "in").mkdir(exist_ok=True)
    (folder / "out").mkdir(exist_ok=True)
    items = []
    for name, text in texts.items():
        source = folder / "in" / f"{name}.txt"
        if not source.exists():
            source.write_text(text)
        items.append(Item(name, (source,), folder / "out" / f"{name}.out"))
    return Plan(tuple(items))
