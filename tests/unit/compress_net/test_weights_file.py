"""Through a file of weights and back the entropy coder's integers are the same."""

from __future__ import annotations

import pytest
import torch
from net_cases import SMALL

from resattn.errors import WeightsError
from resattn.weights.export import pack
from resattn.weights.index import Shelf
from resattn.weights.load import load
from resattn.weights.origin import Origin

ORIGIN = Origin(
    name="toy",
    task="compress",
    architecture="compress-net",
    config=SMALL.to_dict(),
    data="noise",
    data_licence="CC0-1.0",
    licence="Apache-2.0",
    command="none",
)


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """An empty shelf of the user's own."""
    monkeypatch.setenv("RESATTN_HOME", str(tmp_path / "shelf"))
    return Shelf(tmp_path / "shelf")


def test_integers_survive_the_file(net, shelf):
    entry, data = pack(net.state_dict(), ORIGIN)
    shelf.put(entry, data)
    loaded = load("toy", "compress").model
    assert loaded.known_answer() == "fp32"
    assert torch.equal(loaded.q_counts, net.q_counts)
    assert torch.equal(loaded.z_counts, net.z_counts)
    z = torch.arange(-32, 32).view(1, 8, 2, 4)
    for level in (0, 29, 63):
        assert torch.equal(loaded.scale_index(z, level), net.scale_index(z, level))


def test_whole_numbers_must_be_of_their_type(net):
    state = net.state_dict()
    state["q_table"] = state["q_table"].float()
    with pytest.raises(WeightsError, match="q_table") as caught:
        pack(state, ORIGIN)
    assert caught.value.code == "E605"
