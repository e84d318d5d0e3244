"""What the tests measured, as a table of one row per goal; `make faults` prints it after a run.

A test says by the fixture `goal` what it injected and what survived; one that says nothing counts
as one injection. A fault class or goal holds where every test named for it passed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.faults.catalogue import FAULTS, GOALS, named

Goal = Callable[..., None]

COLLECTED = pytest.StashKey[list[str]]()
"""Names of all tests that were found, those included that `--goals` leaves out."""


@dataclass(frozen=True)
class Measured:
    """What one test says of a goal."""

    label: str
    text: str
    injected: int
    survived: int
    met: bool


@pytest.fixture
def goal(record_property: Callable[[str, object], None]) -> Goal:
    """`goal("G8", "20 kills: 0 damaged", injected=20)` puts a measurement into the table."""

    def say(label: str, text: str, *, injected: int = 1, survived: int = -1, met: bool = True):
        assert label in GOALS
        survived = injected if survived < 0 else survived
        # As plain values, which reach another process.
        record_property("goal", (label, text, injected, survived, met))

    return say


@dataclass
class Row:
    """What is known of a fault class or goal."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    injected: int = 0
    survived: int = 0
    seconds: float = 0.0
    met: bool = True
    texts: list[str] = field(default_factory=list)

    def add(self, reports: list[pytest.TestReport], measured: list[Measured]) -> None:
        """One finished test, and what it said of this goal."""
        failed = any(report.failed for report in reports)
        skipped = any(report.skipped for report in reports)
        self.seconds += sum(report.duration for report in reports)
        self.failed += failed
        self.skipped += skipped
        self.passed += not failed and not skipped
        if failed or not measured:
            self.injected += not skipped
            self.survived += not skipped and not failed
        for one in measured:
            self.injected += one.injected
            self.survived += one.survived
            self.met &= one.met
            self.texts.append(one.text if one.met else f"below the bar: {one.text}")

    @property
    def verdict(self) -> str:
        """`holds`, `NOT MET` or `not run`; what could not be tried here is said."""
        if not self.passed and not self.failed:
            return "not run"
        holds = self.met and not self.failed
        text = "holds" if holds else f"NOT MET ({self.failed} tests failed)"
        return f"{text}, {self.skipped} skipped" if self.skipped else text


class Table:
    """Collects results by fault class and goal."""

    def __init__(self) -> None:
        self.rows = {label: Row() for label in (*FAULTS, *GOALS)}
        self._phases: list[pytest.TestReport] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Counts a finished test under each label of its name."""
        self._phases.append(report)
        if report.when != "teardown":
            return
        measured = [Measured(*said) for key, said in report.user_properties if key == "goal"]
        for label in named(report.nodeid.rpartition("::")[2]):
            said = [one for one in measured if one.label == label]
            self.rows[label].add(self._phases, said)
        self._phases = []

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Prints a row for each fault class and goal that was tried."""
        write = terminalreporter.write_line
        tried = {label: row for label, row in self.rows.items() if row.verdict != "not run"}
        write("\n| fault | | tests | failed | skipped |\n|---|---|---:|---:|---:|")
        for label, text in FAULTS.items():
            if label in tried:
                row = tried[label]
                write(f"| {label} | {text} | {row.passed} | {row.failed} | {row.skipped} |")
        write("\n| goal | what is injected | injected | survived | s | verdict | measured |")
        write("|---|---|---:|---:|---:|---|---|")
        for label, text in GOALS.items():
            if label in tried:
                row = tried[label]
                numbers = f"{row.injected} | {row.survived} | {row.seconds:.0f}"
                said = "; ".join(
                    f"{n} × {one}" if n > 1 else one for one, n in Counter(row.texts).items()
                )
                write(f"| {label} | {text} | {numbers} | {row.verdict} | {said} |")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--goals G4,F17` runs the tests of these alone."""
    parser.addoption("--goals", default="", help="goals and fault classes to run, by comma")


def pytest_configure(config: pytest.Config) -> None:
    """With `-p tests.faults.goals` the table is printed."""
    config.pluginmanager.register(Table(), "faults table")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what is named for no fault class and no goal, or for none that is wanted."""
    wanted = set(filter(None, config.getoption("--goals").upper().split(",")))
    if unknown := wanted - {*FAULTS, *GOALS}:
        raise pytest.UsageError(f"--goals knows no {', '.join(sorted(unknown))}")
    config.stash[COLLECTED] = [item.name for item in items]
    items[:] = [item for item in items if named(item.name) & (wanted or {*FAULTS, *GOALS})]
