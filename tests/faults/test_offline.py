"""F10 and G13: nothing here opens a connection; the kernel itself says so."""

from __future__ import annotations

import os
import signal
import socket

import pytest

from tests.faults.forked import attempt, forbid_internet


def dies_of(action) -> int:
    child = os.fork()
    if child == 0:
        try:
            forbid_internet()
            action()
        except OSError:
            os._exit(1)
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1]


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_the_trap_is_real(family: int) -> None:
    status = dies_of(lambda: socket.socket(family))
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 1:
        pytest.skip("seccomp is not available here")
    assert os.WTERMSIG(status) == signal.SIGSYS
    assert dies_of(lambda: socket.socket(socket.AF_UNIX)) == 0


def test_f10_g13_no_command_opens_a_socket_of_the_internet(jobs, goal) -> None:
    if os.WIFEXITED(dies_of(lambda: socket.socket(socket.AF_INET))):
        pytest.skip("seccomp is not available here")
    found = attempt("offline", jobs)
    assert set(found.values()) == {0}, found
    goal("G13", f"0 sockets of the internet in {len(found)} commands (seccomp)")


def test_g13_the_suite_itself_stays_at_home() -> None:
    with pytest.raises(AssertionError, match=r"reaches for 192\.0\.2\.1"):
        socket.create_connection(("192.0.2.1", 9), timeout=0.1)
