"""Whoever does the work: the same files, results, messages and order."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

import pytest

from resattn.errors import ResattnError
from resattn.pipelines.progress import Progress
from resattn.pipelines.run import Batch, execute
from tests.unit.batch.copying import Config, make_plan, work

TEXTS = {"a": "one", "b": "log", "c": "bad", "d": "two", "e": "log", "f": "six"}
DASK = pytest.param({"scheduler": "local:2"}, id="dask", marks=pytest.mark.slow)
ALL = [*(pytest.param({"workers": n}, id=f"{n} processes") for n in (1, 2, 4)), DASK]


def run(plan, config=Config(), **batch):  # noqa: B008 (frozen)
    results = execute(plan, work(config), Progress(enabled=False), Batch(**batch))
    return [replace(result, seconds=0, facts={}) for result in results]


@pytest.mark.parametrize("batch", ALL)
def test_every_executor_gives_the_results_of_a_loop(tmp_path, caplog, batch):
    if "scheduler" in batch:
        pytest.importorskip("distributed")
    plan = make_plan(tmp_path, TEXTS)
    with caplog.at_level(logging.WARNING, "resattn"):
        results = run(plan, **batch)
    assert [r.name for r in results] == list(TEXTS)
    assert [r.status for r in results] == ["ok", "ok", "failed", "ok", "ok", "ok"]
    assert results[2].error == "error[E300] c: it is bad — make it good"
    assert [r.getMessage() for r in caplog.records] == ["b was logged", "e was logged"]
    assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == {
        f"{name}.out": text for name, text in TEXTS.items() if name != "c"
    }


def test_the_order_of_the_items_changes_no_result(tmp_path):
    plan = make_plan(tmp_path, TEXTS)
    forward = run(plan, workers=2)
    backward = run(replace(plan, items=plan.items[::-1]), workers=2)
    assert backward == forward[::-1]


def test_a_killed_worker_is_replaced_and_its_unit_tried_again(tmp_path):
    plan = make_plan(tmp_path, {"a": "one", "b": "once", "c": "two", "d": "six"})
    results = run(plan, workers=2)
    assert (tmp_path / "in" / "b.died").exists(), "no worker died: the test proves nothing"
    assert [r.status for r in results] == ["ok"] * 4
    assert (tmp_path / "out" / "b.out").read_text() == "once"


def test_a_unit_that_kills_two_workers_is_set_aside(tmp_path):
    results = run(make_plan(tmp_path, {"a": "one", "b": "poison", "c": "two"}), workers=2)
    assert [r.status for r in results] == ["ok", "failed", "ok"]
    assert results[1].error.startswith("error[E503] b: its worker died 2 times")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a.out", "c.out"}


@pytest.mark.parametrize("workers", [1, 2])
def test_f24_a_unit_that_takes_too_long_is_ended_and_the_others_are_made(tmp_path, workers):
    plan = make_plan(tmp_path, {"a": "one", "b": "hang", "c": "two", "d": "hang"})
    started = time.monotonic()
    results = run(plan, workers=workers, time_limit=3)
    assert time.monotonic() - started < 50, "it was waited for"
    assert [r.status for r in results] == ["ok", "failed", "ok", "failed"]
    assert results[1].error.startswith("error[E502] b: it took more than 3 s")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a.out", "c.out"}


def test_f24_a_limit_that_nobody_reaches_changes_nothing(tmp_path):
    plan = make_plan(tmp_path, TEXTS)
    assert run(plan, time_limit=300) == run(plan)


def test_a_killed_worker_of_a_cluster_is_survived(tmp_path):
    pytest.importorskip("distributed")
    plan = make_plan(tmp_path, {"a": "one", "b": "once", "c": "two", "d": "poison"})
    results = run(plan, scheduler="local:2")
    assert [r.status for r in results] == ["ok", "ok", "ok", "failed"]
    assert "E503" in results[3].error


def test_workers_that_cannot_make_their_work_end_the_run_with_its_error(tmp_path, monkeypatch):
    made = work(Config())
    monkeypatch.setattr(made, "recipe", replace(made.recipe, config=Config(broken=True)))
    plan = make_plan(tmp_path, TEXTS)
    with pytest.raises(ResattnError, match="there is no network") as raised:
        list(execute(plan, made, Progress(enabled=False), Batch(workers=2)))
    assert raised.value.code == "E600"


def test_workers_share_the_threads_that_one_process_would_take(tmp_path):
    plan = make_plan(tmp_path, {"a": "one", "b": "two"})

    def threads(config):
        done = execute(plan, work(config), Progress(enabled=False), Batch(workers=2))
        return {result.facts["threads"] for result in done}

    assert threads(Config(threads=3)) == {3}
    (shared,) = threads(Config())
    assert shared >= 1


def test_a_request_to_stop_finishes_what_is_in_hand(tmp_path):
    plan = make_plan(tmp_path, dict.fromkeys("abcdefgh", "text"))
    done = []
    stopping = Batch(workers=2, stop=lambda: bool(done))
    for result in execute(plan, work(Config(seconds=0.3)), Progress(enabled=False), stopping):
        done.append(result)
    assert 1 <= len(done) <= 4
    assert [r.name for r in done] == list("abcdefgh")[: len(done)]
    assert {p.stem for p in (tmp_path / "out").iterdir()} == {r.name for r in done}


def test_an_abandoned_run_leaves_no_worker_behind(tmp_path):
    import multiprocessing

    plan = make_plan(tmp_path, dict.fromkeys("abcdefgh", "text"))
    results = execute(plan, work(Config(seconds=0.2)), Progress(enabled=False), Batch(workers=2))
    next(results)
    assert multiprocessing.active_children()
    results.close()
    assert not multiprocessing.active_children()
    assert not [p for p in (tmp_path / "out").iterdir() if ".part" in p.name]


def test_work_that_cannot_be_rebuilt_is_a_programming_error(tmp_path):
    plan = make_plan(tmp_path, TEXTS)
    with pytest.raises(TypeError, match="@portable"):
        list(execute(plan, lambda item, progress: None, Progress(False), Batch(workers=2)))
