"""The bars that pansharpening has to clear, as data, and how each is judged.

A bar has a value that must be reached and one that should be; some bars are other methods' values
instead. Only scores of our default method, `auto`, clear a bar; the best classical method stands
beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import nan

from bench.peers import CLASSICAL, PEERS, UNREGISTERED
from resattn.metrics.table import METRICS

OURS = "auto"

Table = Mapping[str, Mapping[str, float]]
"""Scores by method and metric."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A value of one score on one scene: `must` be met, `reach` aimed at."""

    scene: str
    metric: str
    must: float
    reach: float = nan


@dataclass(frozen=True, slots=True)
class Verdict:
    """One bar with what was measured beside it."""

    scene: str
    text: str
    ours: float
    classical: float
    peers: Mapping[str, float]
    passed: bool
    reached: bool


BARS = (
    Bar("wv3_zpnn_128", "r_ergas", 4.47, 4.0),
    Bar("wv3_zpnn_128", "r_q2n", 0.948, 0.96),
    Bar("wv3_zpnn_128", "d_rho", 0.085),
    Bar("wv3_adelaide", "r_ergas", 3.14, 2.7),
    Bar("wv3_adelaide", "r_q2n", 0.967, 0.975),
    Bar("wv3_adelaide", "hqnr", 0.93, 0.945),
    Bar("wv3_rr128", "ergas", 4.56, 4.2),
    Bar("wv3_rr128", "q2n", 0.925, 0.935),
    Bar("ik_rr320", "ergas", 2.16, 2.0),
    # Set from values of code that pads 320 px to 512: judged on the same scale.
    Bar("ik_rr320", "q2n_padded", 0.72, 0.74),
)

BEATS_EXP = ("gf2_reduced_0", "gf2_reduced_1")
"""Scenes where ERGAS must be below that of the enlarged MS, and should be below 2.1."""
GF2_REACH = 2.1

BEATS_ALL = ("landsat8_a_wald", "landsat8_b_wald")
"""Scenes where `auto` must be better than every classical method and every peer."""


def verdicts(scene: str, table: Table) -> Iterator[Verdict]:
    """Every bar of a scene, judged; methods that gave no output are not in `table`."""
    for bar in BARS:
        if bar.scene == scene:
            yield _judge(bar, table)
    if scene in BEATS_EXP and "exp" in table:
        yield _judge(Bar(scene, "ergas", table["exp"]["ergas"], GF2_REACH), table, "enlarged MS")
    if scene in BEATS_ALL:
        rivals = {name: row for name, row in table.items() if name in (*CLASSICAL, *PEERS)}
        for metric in primary(table):
            rival = best(rivals, rivals, metric)
            if rival:
                bar = Bar(scene, metric, rivals[rival][metric])
                yield _judge(bar, table, f"better than {rival}")
    for metric in primary(table):
        rival = best(table, CLASSICAL, metric)
        if rival:
            bar = Bar(scene, metric, table[rival][metric])
            yield _judge(bar, table, f"no worse than {rival}")


def colour_verdict(scene: str, shifts: Mapping[str, tuple[float, float] | None]) -> Verdict | None:
    """Whether `auto` honours the georeference; None on scenes without one.

    Judged without the correction of residual shifts, which moves the colours from where the
    georeference has them onto PAN, by design. The numbers are the larger of dy and dx.
    """
    sizes = {name: max(map(abs, shift)) for name, shift in shifts.items() if shift is not None}
    if not sizes:
        return None
    ours = sizes.get(UNREGISTERED, nan)
    classical = min((sizes[name] for name in CLASSICAL if name in sizes), default=nan)
    peers = {name: sizes[name] for name in PEERS if name in sizes}
    return Verdict(scene, "colour shift = 0", ours, classical, peers, ours == 0, ours == 0)


def primary(table: Table) -> tuple[str, ...]:
    """The scores that decide between methods, by what was measured."""
    reduced = any("ergas" in row for row in table.values())
    return ("ergas", "q2n") if reduced else ("r_ergas", "r_q2n")


def best(table: Table, names: Iterable[str], metric: str) -> str:
    """The method with the best value, empty if none was measured."""
    known = [name for name in names if metric in table.get(name, {})]
    if not known:
        return ""
    choose = max if METRICS[metric].higher_is_better else min
    return choose(known, key=lambda name: table[name][metric])


def _judge(bar: Bar, table: Table, why: str = "") -> Verdict:
    ours = table.get(OURS, {}).get(bar.metric, nan)
    classical = best(table, CLASSICAL, bar.metric)
    sign = "≥" if METRICS[bar.metric].higher_is_better else "≤"
    goal = f" / {bar.reach:g}" if bar.reach == bar.reach else ""
    note = f" ({why})" if why else ""
    return Verdict(
        bar.scene,
        f"{METRICS[bar.metric].title} {sign} {bar.must:.4g}{goal}{note}",
        ours,
        table[classical][bar.metric] if classical else nan,
        {name: table[name][bar.metric] for name in PEERS if bar.metric in table.get(name, {})},
        _meets(ours, bar.must, bar.metric, strict=why.startswith("better")),
        _meets(ours, bar.reach, bar.metric, strict=False),
    )


def _meets(value: float, bar: float, metric: str, *, strict: bool) -> bool:
    if METRICS[metric].better(value, bar):
        return True
    return not strict and value == bar
