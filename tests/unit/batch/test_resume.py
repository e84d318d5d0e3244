"""What is made already is proven by hashes, never by a file that happens to exist."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from resattn.errors import OutputError, UserError
from resattn.pipelines import batch as batching
from resattn.pipelines import journal
from resattn.pipelines.batch import Order
from resattn.pipelines.merge import merge
from resattn.pipelines.progress import Progress
from resattn.pipelines.run import execute
from tests.unit.batch.copying import Config, make_plan, work

TEXTS = {"a": "one", "b": "two", "c": "bad", "d": "four"}


def run(tmp_path, config=Config(), texts=None, stop=None, **order):  # noqa: B008 (frozen)
    """Results of a run, and the names of the units that were really worked on."""
    plan = make_plan(tmp_path, texts or TEXTS)
    order = Order("copy", asdict(config), tmp_path / "out", **order)
    share = batching.share(plan, order)
    before = list((tmp_path / "out").iterdir())
    stamps = {path.name: path.stat().st_mtime_ns for path in before}
    with batching.opened(share, order, stop or (lambda: False)) as batch:
        results = list(execute(share.plan, work(config), Progress(enabled=False), batch))
    after = list((tmp_path / "out").glob("*.out"))
    worked = {path.stem for path in after if stamps.get(path.name) != path.stat().st_mtime_ns}
    return results, worked


def test_nothing_is_made_twice_and_the_report_is_the_same(tmp_path):
    first, worked = run(tmp_path)
    assert worked == {"a", "b", "d"}
    again, worked = run(tmp_path, resume=True)
    assert worked == set()
    assert [r for r in again if r.status == "ok"] == [r for r in first if r.status == "ok"]
    assert [r.status for r in again] == ["ok", "ok", "failed", "ok"]


def damage(tmp_path):
    (tmp_path / "out" / "b.out").write_text("tw")


def change_input(tmp_path):
    (tmp_path / "in" / "b.txt").write_text("2")


def remove_output(tmp_path):
    (tmp_path / "out" / "b.out").unlink()


@pytest.mark.parametrize("harm", [damage, change_input, remove_output])
@pytest.mark.parametrize("workers", [1, 2])
def test_what_changed_is_made_again(tmp_path, harm, workers):
    run(tmp_path)
    harm(tmp_path)
    _, worked = run(tmp_path, resume=True, workers=workers)
    assert worked == {"b"}
    expected = (tmp_path / "in" / "b.txt").read_text()
    assert (tmp_path / "out" / "b.out").read_text() == expected


def test_an_option_that_decides_pixels_makes_everything_again(tmp_path):
    run(tmp_path)
    _, worked = run(tmp_path, Config(times=2), resume=True)
    assert worked == {"a", "b", "d"}
    assert (tmp_path / "out" / "a.out").read_text() == "oneone"


def test_an_option_that_does_not_makes_nothing_again(tmp_path):
    run(tmp_path)
    _, worked = run(tmp_path, Config(ram="1GB", threads=1), resume=True)
    assert worked == set()


def test_other_code_or_weights_make_everything_again(tmp_path, monkeypatch):
    run(tmp_path)
    monkeypatch.setattr("resattn.pipelines.fingerprint.of_code", lambda: "another version")
    _, worked = run(tmp_path, resume=True)
    assert worked == {"a", "b", "d"}
    monkeypatch.undo()
    monkeypatch.setenv("RESATTN_HOME", str(tmp_path))
    (tmp_path / "index.json").write_text("{}")
    _, worked = run(tmp_path, resume=True)
    assert worked == {"a", "b", "d"}


def test_an_interrupted_run_goes_on_where_it_was(tmp_path):
    asked = iter([False, False, True])
    results, worked = run(tmp_path, stop=lambda: next(asked))
    assert [r.name for r in results] == ["a", "b"]
    _, worked = run(tmp_path, resume=True)
    assert worked == {"d"}


@pytest.mark.parametrize("order", [{"resume": True}, {"shard": "1/1"}])
def test_files_of_others_are_never_replaced(tmp_path, order):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b.out").write_text("mine")
    with pytest.raises(UserError, match="no journal says") as raised:
        run(tmp_path, **order)
    assert raised.value.code == "E404"
    assert (tmp_path / "out" / "b.out").read_text() == "mine"
    _, worked = run(tmp_path, **order, overwrite=True)
    assert worked == {"a", "b", "d"}


def test_a_torn_line_costs_its_unit_once_more(tmp_path):
    run(tmp_path)
    (path,) = journal.paths(tmp_path / "out")
    path.write_bytes(path.read_bytes()[:-40])  # within the last line, that of `d`
    _, worked = run(tmp_path, resume=True)
    assert worked == {"d"}
    whole = len(list(journal.lines(path)))
    assert len(path.read_text().splitlines()) == whole + 1, "the torn line stands alone"
    _, worked = run(tmp_path, resume=True)
    assert worked == set()


def test_two_runs_cannot_share_a_journal(tmp_path):
    plan = make_plan(tmp_path, TEXTS)
    order = Order("copy", {}, tmp_path / "out")
    share = batching.share(plan, order)
    with (
        batching.opened(share, order, lambda: False),
        pytest.raises(OutputError, match="another run") as raised,
        batching.opened(share, order, lambda: False),
    ):
        pass
    assert raised.value.code == "E405"


def test_a_single_output_file_gets_no_journal_unless_it_is_asked_for(tmp_path):
    run(tmp_path, texts={"a": "one"}, overwrite=True)
    assert journal.paths(tmp_path / "out") == []
    run(tmp_path, texts={"a": "one"}, overwrite=True, resume=True)
    assert len(journal.paths(tmp_path / "out")) == 1


def alike(results):
    return [replace(result, seconds=0) for result in results]


def test_shards_merge_to_the_report_of_one_process(tmp_path):
    texts = {f"n{i}": "bad" if i % 7 == 3 else "x" * i for i in range(20)}
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    whole, _ = run(tmp_path / "whole", texts=texts)
    parts = [run(tmp_path / "parts", texts=texts, shard=f"{i}/3")[0] for i in (3, 1, 2)]
    assert sorted(r.name for part in parts for r in part) == sorted(texts)
    merged = merge(tmp_path / "parts" / "out")
    assert [r.name for r in merged.results] == list(texts)
    strip = [(r.name, r.status, r.metrics, r.error) for r in merged.results]
    assert strip == [(r.name, r.status, r.metrics, r.error) for r in whole]
    once_more = [
        run(tmp_path / "parts", texts=texts, shard=f"{i}/3", resume=True) for i in (1, 2, 3)
    ]
    assert all(worked == set() for _, worked in once_more)
    assert alike(merge(tmp_path / "parts" / "out").results) == alike(merged.results)


def test_merge_refuses_what_is_not_whole_and_says_what_completes_it(tmp_path):
    with pytest.raises(UserError, match="holds no journal"):
        merge(tmp_path / "out")
    run(tmp_path, shard="1/2")
    with pytest.raises(UserError, match=r"shard 2/2 .* has not run") as raised:
        merge(tmp_path / "out")
    assert raised.value.code == "E213"
    run(tmp_path, shard="2/2", stop=lambda: True)
    with pytest.raises(UserError, match="finished 0 of"):
        merge(tmp_path / "out")
    run(tmp_path, Config(times=2), shard="2/2", resume=True)
    with pytest.raises(UserError, match="not with these inputs, options"):
        merge(tmp_path / "out")
