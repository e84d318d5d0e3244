import logging

import pytest
import torch

from resattn.errors import WeightsError
from resattn.models.super_resolve import GatedSr, GatedSrConfig
from resattn.training.warm import warm_start


def model(**settings):
    return GatedSr(GatedSrConfig(**({"scale": 4, "dim": 8, "blocks": 1} | settings)))


def test_equal_models_start_equal():
    source, target = model(), model()
    assert warm_start(target, source.state_dict()) == []
    assert all(torch.equal(v, source.state_dict()[k]) for k, v in target.state_dict().items())


def test_another_scale_keeps_all_but_the_tail(caplog):
    source, target = model(), model(scale=2)
    tail = target.tail.weight.detach().clone()
    with caplog.at_level(logging.WARNING):
        assert warm_start(target, source.state_dict()) == ["tail.bias", "tail.weight"]
    assert "tail.bias, tail.weight" in caplog.text
    assert torch.equal(target.tail.weight, tail)
    assert torch.equal(target.head.weight, source.head.weight)


@pytest.mark.parametrize("settings", [{"blocks": 2}, {"dim": 12}])
def test_another_model_is_refused(settings):
    with pytest.raises(WeightsError, match=r"\d+ of \d+ tensors fit") as caught:
        warm_start(model(**settings), model().state_dict())
    assert caught.value.code == "E604"
