"""G3: every fault class has tests, whichever folder they are in."""

from __future__ import annotations

import ast
import functools

import pytest

from tests.conftest import REPOSITORY
from tests.faults.catalogue import FAULTS, GOALS, count, named
from tests.faults.goals import COLLECTED, Goal


@functools.cache
def functions() -> tuple[str, ...]:
    """Names of all test functions of the repository, read and not imported."""
    return tuple(
        node.name
        for path in sorted((REPOSITORY / "tests").rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


@pytest.mark.parametrize("fault", FAULTS)
def test_g3_each_fault_class_has_a_test(fault: str) -> None:
    assert count(functions())[fault] > 0, f"no test is named test_{fault.lower()}_…"


@pytest.mark.parametrize("goal", GOALS)
def test_g3_each_goal_has_a_test(goal: str) -> None:
    assert count(functions())[goal] > 0, f"no test is named test_{goal.lower()}_…"


def test_names_hold_no_class_that_is_not_listed() -> None:
    assert {label for name in functions() for label in named(name)} <= {*FAULTS, *GOALS}


def test_g3_at_least_120_injections(request: pytest.FixtureRequest, goal: Goal) -> None:
    """Counted as collected, so that each set of parameters is one; needs the whole suite."""
    names = request.config.stash.get(COLLECTED, [item.name for item in request.session.items])
    if request.config.args != ["tests"] or request.config.option.keyword:
        pytest.skip("only a part of the suite was asked for")
    found = count(names)
    classes = sum(found[fault] > 0 for fault in FAULTS)
    injections = sum(found[fault] for fault in FAULTS)
    goal("G3", f"{classes} of {len(FAULTS)} classes", injected=injections)
    assert classes == len(FAULTS)
    assert injections >= 120
