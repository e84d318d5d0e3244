"""What the tests measured, as a table; `make faults` prints it after a run.

A test says it by the fixture `goal`; a fault class or goal holds where all tests named for it
passed.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.catalogue import FAULTS, GOALS, named

Goal = Callable[..., None]
_BELOW = "below the bar: "


@pytest.fixture
def goal(record_property: Callable[[str, object], None]) -> Goal:
    """`goal("G8", "20 kills: 0 damaged", met=True)` puts a measurement into the table."""

    def say(label: str, measured: str, *, met: bool = True) -> None:
        assert label in GOALS
        record_property(label, measured if met else _BELOW + measured)

    return say


class Table:
    """Collects results by fault class and goal."""

    def __init__(self) -> None:
        self.passed = dict.fromkeys([*FAULTS, *GOALS], 0)
        self.failed = dict.fromkeys([*FAULTS, *GOALS], 0)
        self.measured: dict[str, list[str]] = {label: [] for label in GOALS}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Counts a finished test under each label of its name."""
        for label in named(report.nodeid.rpartition("::")[2]):
            self.passed[label] += report.when == "call" and report.passed
            self.failed[label] += report.failed
        if report.when == "teardown":
            for label, text in report.user_properties:
                self.measured[label].append(str(text))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Prints both tables."""
        write = terminalreporter.write_line
        write("\n| fault | | injections passed | failed |\n|---|---|---:|---:|")
        for label, text in FAULTS.items():
            write(f"| {label} | {text} | {self.passed[label]} | {self.failed[label]} |")
        covered = sum(self.passed[label] > 0 and not self.failed[label] for label in FAULTS)
        total = sum(self.passed[label] for label in FAULTS)
        self.measured["G3"].append(f"{covered} of {len(FAULTS)} classes, {total} injections")
        write("\n| goal | bar | measured | |\n|---|---|---|---|")
        for label, bar in GOALS.items():
            holds = self.passed[label] > 0 and not self.failed[label]
            seen = "; ".join(self.measured[label]) or f"{self.passed[label]} tests"
            holds &= _BELOW not in seen
            write(f"| {label} | {bar} | {seen} | {'holds' if holds else 'NOT MET'} |")


def pytest_configure(config: pytest.Config) -> None:
    """With `-p tests.faults.goals` the table is printed."""
    config.pluginmanager.register(Table(), "faults table")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves out what is named for no fault class and no goal."""
    items[:] = [item for item in items if named(item.name)]
