"""The reduced protocol puts PAN where MS lies, so that following PAN is not punished."""

from types import SimpleNamespace

from resattn.fusion.calibration import calibrate
from resattn.fusion.classical import fit
from resattn.fusion.sensors import find
from resattn.pipelines import wald


def test_a_shifted_scene_is_scored_against_a_truth_under_pan(simulate):
    simulated = simulate(256, 256, 3, 2.0, shifts=((1.5, -0.5),) * 3)
    common = calibrate(simulated.scene, (0.3,) * 3).registration.common

    def ergas(shift):
        reduced = wald.reduce(simulated.scene, find("default"), shift)
        model = fit("mtf-glp", reduced.scene, calibrate(reduced.scene, (0.3,) * 3).optics)
        fuser = SimpleNamespace(apply=model.apply)
        return wald.score(reduced, fuser)["wald_ergas"]

    assert ergas(common) < 0.8 * ergas((0.0, 0.0))
