"""Gates, the batch loop and reports."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from resattn.errors import ItemError, UserError
from resattn.pipelines import report
from resattn.pipelines.plan import Item, Plan
from resattn.pipelines.progress import Progress
from resattn.pipelines.result import Result, broken_gates
from resattn.pipelines.run import execute
from resattn.pipelines.summary import summary


def result(name: str = "a", **metrics: float) -> Result:
    return Result(name, "ok", (Path("out.tif"),), metrics)


@pytest.mark.parametrize(
    ("value", "under", "over", "broken"),
    [
        (3.0, ["ergas=3"], ["ergas=3"], 0),
        (2.9, ["ergas=3"], [], 1),
        (3.1, [], ["ergas=3"], 1),
        (math.nan, ["ergas=3"], ["ergas=3"], 2),
        (3.0, ["sam=1"], [], 1),
    ],
)
def test_gates(value, under, over, broken):
    assert len(broken_gates([result(ergas=value)], under, over)) == broken


@pytest.mark.parametrize(
    ("values", "under", "broken"),
    [
        ([1.0, 5.0], "mean.q=3", 0),
        ([1.0, 4.9], "mean.q=3", 1),
        ([1.0, math.nan], "mean.q=0", 1),
        ([1.0], "mean.sam=0", 1),
        ([], "mean.q=9", 0),
    ],
)
def test_a_gate_on_the_mean(values, under, broken):
    assert len(broken_gates([result(q=value) for value in values], [under], [])) == broken


def test_a_mean_that_would_leave_an_item_out_does_not_pass():
    (why,) = broken_gates([result(q=9.0), result("b", s=1.0)], ["mean.q=3"], [])
    assert "was not measured" in why


def test_failed_items_do_not_count_against_gates():
    assert broken_gates([Result("a", "failed", error="x")], ["ergas=1"], []) == []


def plan_of(*names: str) -> Plan:
    return Plan(tuple(Item(name, (Path(name),), Path(name + ".out")) for name in names))


def test_one_bad_item_never_stops_the_others():
    def work(item, progress):
        if item.name == "bad":
            raise ItemError("it is empty", "send it again", code="E301")
        if item.name == "defect":
            raise KeyError("ours")
        if item.name == "big":
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: tried 1 TB")
        return Result(item.name, "ok")

    plan = plan_of("good", "bad", "defect", "big", "last")
    done = list(execute(plan, work, Progress(enabled=False)))
    assert [r.status for r in done] == ["ok", "failed", "failed", "failed", "ok"]
    assert done[1].error == "error[E301] bad: it is empty — send it again"
    assert "E999" in done[2].error
    assert "E501" in done[3].error
    assert done[1].inputs == (Path("bad"),)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_interruption_passes_through(stop):
    def work(item, progress):
        raise stop

    with pytest.raises(stop):
        list(execute(plan_of("a"), work, Progress(enabled=False)))


def test_skipped_items_are_reported():
    plan = Plan((), skipped=plan_of("a").items)
    (skipped,) = execute(plan, lambda item, progress: result(), Progress(enabled=False))
    assert skipped.status == "skipped"


def test_json_report_is_strict_json_with_a_summary():
    run = report.Run("pansharpen", {"method": "gsa"}, [result(q=1.0), result("b", q=3.0)], ["g"])
    document = json.loads(report.to_json(run), parse_constant=pytest.fail)
    assert document["summary"]["metrics"]["q"]["mean"] == 2.0
    assert document["summary"]["metrics"]["q"]["ci95"] == [1.0, 3.0]
    assert document["config"] == {"method": "gsa"}
    assert document["gates_not_met"] == ["g"]


def test_nan_and_odd_paths_stay_readable():
    odd = Result("a", "ok", (Path("\udcff.tif"),), {"q": math.nan})
    document = json.loads(report.to_json(report.Run("x", {}, [odd])), parse_constant=pytest.fail)
    assert document["items"][0]["metrics"]["q"] is None
    report.to_json(report.Run("x", {}, [odd])).encode("utf-8")


def test_csv_has_one_row_per_item_and_every_metric():
    run = report.Run("metrics", {}, [result(q=1.0), result("b", s=2.0)])
    rows = list(csv.DictReader(io.StringIO(report.to_csv(run))))
    assert [(row["item"], row["q"], row["s"]) for row in rows] == [
        ("a", "1.0", ""),
        ("b", "", "2.0"),
    ]


def test_report_names_without_a_known_suffix_are_refused_early():
    with pytest.raises(UserError, match=r"\.xml"):
        report.check_paths([Path("r.xml")])


def test_the_summary_compares_with_a_baseline_item_by_item():
    def one(name, ours, theirs):
        return Result(name, "ok", (), {"sam": ours}, {"exp": {"sam": theirs}})

    found = summary([one("a", 1.0, 3.0), one("b", 5.0, 4.0), one("c", math.inf, 2.0)])
    assert found["metrics"]["sam"]["not_finite"] == 1
    assert found["baselines"]["exp"]["sam"]["mean"] == 3.0
    assert found["baselines"]["exp"]["sam"]["lead"] == -0.5
    assert found["baselines"]["exp"]["sam"]["better_in"] == 0.5  # lower is better


def test_a_result_survives_its_report():
    """Reports write null for what is infinite or undefined; it comes back as NaN."""
    before = Result(
        "a", "ok", (Path("/o.tif"),), {"psnr": math.inf, "q": 1.0}, {"exp": {"q": math.nan}},
        warnings=("w",), inputs=(Path("/i.tif"),), reference=Path("/r.tif"),
    )  # fmt: skip
    document = json.loads(report.to_json(report.Run("x", {}, [before])))["items"][0]
    after = Result.from_json(document)
    assert math.isnan(after.metrics["psnr"])
    assert math.isnan(after.baselines["exp"]["q"])
    plain = {"metrics": {}, "baselines": {}}
    assert replace(after, **plain) == replace(before, **plain)
    assert summary([after])["metrics"]["q"]["mean"] == 1.0
