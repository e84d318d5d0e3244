from __future__ import annotations

import pytest

from resattn.checks.probe import Probe
from resattn.registry import MIXERS

IDENTITIES = [
    pytest.param(check, id=f"{kind}: {check.name}")
    for kind, line in MIXERS.items()
    for check in line.identities
]


@pytest.mark.parametrize("check", IDENTITIES)
def test_identity_of_the_paper_holds(check):
    probe = Probe(seed=11)
    assert check.measure(probe) <= probe.tolerance
