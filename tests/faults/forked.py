"""Runs commands in children that are killed, short of memory or cut off from the network.

`python -m tests.faults.forked MODE NUMBER…` imports everything once, reads jobs as JSON from stdin,
tries each in forked children and writes what it saw as JSON to stdout. GDAL and networks are used
in the children only, since GDAL does not survive a fork.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import platform
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import REPOSITORY
from tests.faults.commands import contents

Job = dict[str, Any]
"""``line``: a command line; ``out``: its output folder; ``whole``: what must be in it."""

_SOCKET = {"x86_64": 41, "aarch64": 198}  # numbers of the system call
_INTERNET = (2, 10)  # AF_INET, AF_INET6
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2
_ALLOW, _KILL = 0x7FFF0000, 0x80000000


def attempt(mode: str, jobs: dict[str, Job], *numbers: int) -> dict[str, Any]:
    """What `MODE` saw of each job, from a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.forked", mode, *map(str, numbers)],
        cwd=REPOSITORY,
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def kill(job: Job, kills: int) -> dict[str, int]:
    """Kills at random moments; each time, every visible output is whole."""
    out, whole = Path(job["out"]), contents(Path(job["whole"]))
    began = time.perf_counter()
    assert os.waitpid(start(job), 0)[1] == 0, errors_of(job)
    seconds = time.perf_counter() - began
    leftovers = 0
    for _ in range(kills):
        child = start(job, for_ever=True)
        time.sleep(random.uniform(0.1, 1.2) * seconds)
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL, errors_of(job)
        for name, data in contents(out).items():
            if ".part-" in name:
                leftovers += 1
            else:
                assert data == whole[name], f"{name} is damaged"
    assert os.waitpid(start(job), 0)[1] == 0, errors_of(job)
    assert contents(out) == whole, "an output or a leftover after the last, quiet run"
    return {"kills": kills, "leftovers": leftovers}


def memory(job: Job, *megabytes: int) -> list[list[Any]]:
    """Megabytes above what was in use, error code or None, and whether the bytes are the same."""
    out, whole = Path(job["out"]), contents(Path(job["whole"]))
    seen = []
    for size in megabytes:
        shutil.rmtree(out, ignore_errors=True)  # what an earlier step made must not count for this
        child = start(job, lambda size=size: _leave(size * 2**20))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        text, found = errors_of(job), contents(out)
        assert "Traceback" not in text, text
        assert status in (0, 1), (size, status, text)
        assert found.items() <= whole.items(), (size, found.keys())
        code = re.search(r"error\[(E\d+)\]", text)
        seen.append([size, code[1] if code else None, found == whole])
    return seen


def offline(job: Job) -> int:
    """Exit status where a socket of the internet ends the process."""
    child = start(job, forbid_internet)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def start(job: Job, prepare: Callable[[], None] = lambda: None, *, for_ever: bool = False) -> int:
    """A child that runs the job; its stderr goes to a file for `errors_of`."""
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        log = os.open(_log(job), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        prepare()
        code = _run(job["line"])
        while for_ever and code == 0:
            code = _run(job["line"])
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def errors_of(job: Job) -> str:
    """What the last child wrote to its terminal."""
    return _log(job).read_text()


def forbid_internet() -> None:
    """Make the kernel kill this process when it opens a socket of the internet."""
    number = _SOCKET[platform.machine()]
    load, equal, give = 0x20, 0x15, 0x06
    program = [
        (load, 0, 0, 0),  # the number of the call
        (equal, 0, 4, number),
        (load, 0, 0, 16),  # its first argument
        (equal, 1, 0, _INTERNET[0]),
        (equal, 0, 1, _INTERNET[1]),
        (give, 0, 0, _KILL),
        (give, 0, 0, _ALLOW),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in program))
    head = ctypes.create_string_buffer(
        struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    )
    system = ctypes.CDLL(None, use_errno=True)
    if system.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or system.prctl(_SECCOMP, _FILTER, head):
        raise OSError(ctypes.get_errno(), "seccomp is not available")


def _run(line: list[str]) -> int:
    from resattn.cli.main import run

    try:
        run(line)
    except SystemExit as stopped:
        return int(stopped.code or 0)


def _leave(size: int) -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + size, used + size))


def _log(job: Job) -> Path:
    return Path(job["out"] + ".log")


def _import_everything() -> None:
    from resattn.io.image import opencv

    opencv()
    for verb in {job["line"][0] for job in jobs.values()}:
        importlib.import_module(f"resattn.pipelines.{verb.replace('-', '_')}")
        with contextlib.redirect_stdout(None):  # runs nothing: what each child would load
            _run([verb, "a", "--out", "b", "--print-config"])


if __name__ == "__main__":
    mode, *numbers = sys.argv[1:]
    jobs = json.load(sys.stdin)
    _import_everything()
    tries = {"kill": kill, "memory": memory, "offline": offline}[mode]
    json.dump({name: tries(job, *map(int, numbers)) for name, job in jobs.items()}, sys.stdout)
