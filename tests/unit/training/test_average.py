import torch
from torch import nn

from resattn.training.average import Average


def test_average_is_the_weighted_sum_it_claims():
    model = nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(0.0)
    average = Average(model, decay=0.5)
    expected = 0.0
    for step, value in enumerate([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]):
        model.weight.data.fill_(value)
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    assert average.values["weight"].item() == torch.tensor(expected).item()


def test_applied_weights_are_put_back_even_after_an_error():
    model = nn.Linear(2, 2)
    average = Average(model, 0.9)
    model.weight.data.add_(1)
    live = model.weight.detach().clone()
    try:
        with average.applied():
            assert torch.equal(model.weight, average.values["weight"])
            raise RuntimeError
    except RuntimeError:
        pass
    assert torch.equal(model.weight, live)
