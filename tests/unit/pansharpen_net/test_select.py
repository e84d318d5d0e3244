"""The automatic choice: never below the best classical method by the scores it goes by."""

from __future__ import annotations

import numpy as np
import pytest
from net_scenes import Sample, make

from resattn.fusion import classical, select
from resattn.fusion.adapt_training import AdaptConfig
from resattn.fusion.pyramid import Optics
from resattn.fusion.select import Scores, best_classical, choose, score

CONFIG = AdaptConfig(steps=15, seconds=None, width=8)


def test_the_choice_is_no_worse_than_the_best_classical() -> None:
    sample = make(side=128)
    choice = choose(sample.scene, sample.optics, CONFIG)
    start, reduced = best_classical(sample.scene, sample.optics)
    assert choice.start == start.method
    assert reduced[start.method] < 1.06 * min(reduced.values())
    if choice.scores is None:
        pytest.fail(f"the rehearsal failed: {choice.rehearsal}")
    assert choice.scores[0] == score(sample.scene, start)
    final = score(sample.scene, choice.fuser)
    assert final in choice.scores
    assert final.cost(CONFIG) == min(scores.cost(CONFIG) for scores in choice.scores)
    plain = [classical.fit(n, sample.scene, sample.optics) for n in classical.METHODS]
    assert final.at_least(score(sample.scene, model) for model in plain)


def test_a_failed_rehearsal_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = make(side=128)
    monkeypatch.setattr(select, "rehearse", lambda *_: (1.0, 1.0))
    choice = choose(sample.scene, sample.optics, CONFIG)
    assert choice.name == choice.start
    assert choice.scores is None


def test_the_rehearsal_is_scored_against_the_given_bands() -> None:
    sample = make(side=256)
    start, reduced = best_classical(sample.scene, sample.optics)
    before, after = select.rehearse(sample.scene, start, CONFIG) or (0.0, 0.0)
    assert before == reduced[start.method]
    assert 0 < after < 1.2 * before


def test_too_small_a_scene_is_not_rehearsed() -> None:
    sample = make(side=128)
    start, reduced = best_classical(sample.scene, sample.optics)
    assert reduced
    assert select.rehearse(sample.scene, start, CONFIG) is None


def test_without_steps_the_classical_method_is_kept(sample: Sample) -> None:
    choice = choose(sample.scene, sample.optics, AdaptConfig(steps=0, width=8))
    fused, _ = choice.fuser.apply(sample.scene, sample.whole)
    start, _ = best_classical(sample.scene, sample.optics)
    assert np.array_equal(fused, start.apply(sample.scene, sample.whole)[0])


def test_the_scale_below_tells_sharpening_from_none() -> None:
    sample = make(side=128)
    _, reduced = best_classical(sample.scene, sample.optics, ("mtf-glp", "exp"))
    assert reduced["exp"] > 1.5 * min(reduced.values())


def test_tiny_scenes_take_the_first_candidate() -> None:
    tiny = make(side=24)
    start, reduced = best_classical(tiny.scene, tiny.optics)
    assert reduced == {}
    assert start.method == select.CANDIDATES[0]


def test_no_classical_method_is_better_in_either_spectral_score() -> None:
    ours = Scores(1.0, 0.95, 0.1)
    assert ours.at_least([Scores(1.0, 0.95, 0.0), Scores(2.0, 0.9, 0.0)])
    assert not ours.at_least([Scores(2.0, 0.9, 0.0), Scores(0.99, 0.9, 1.0)])
    assert not ours.at_least([Scores(2.0, 0.96, 1.0)])


def test_cost_is_weighed_like_the_loss() -> None:
    config = AdaptConfig(ergas=0.1, quality=2.0, structure=5.0)
    assert Scores(1.0, 0.9, 0.2).cost(config) == pytest.approx(0.1 + 0.2 + 1.0)


def test_scores_see_a_shift_the_optics_do_not_know() -> None:
    sample = make(side=128)
    blind = Optics.of(sample.optics.ms_gains)
    aware = score(sample.scene, sample.start())
    unaware = score(sample.scene, best_classical(sample.scene, blind, ("mtf-glp-fs",))[0])
    assert aware.d_rho < 0.7 * unaware.d_rho
