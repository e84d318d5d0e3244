import os
import socket

import pytest
import torch
import torch.multiprocessing as mp
from training_toy import Deblur

from resattn.training.config import TrainConfig
from resattn.training.loop import Place, Trainer
from resattn.training.replicas import Replicas, own, replicas


def work(rank, port, folder):
    os.environ |= {
        "WORLD_SIZE": "2",
        "RANK": str(rank),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    torch.set_num_threads(1)
    with replicas(torch.device("cpu")) as processes:
        place = Place(folder, torch.device("cpu"), processes)
        outcome = Trainer(Deblur(), TrainConfig(steps=12, batch=4, log_steps=4), place).fit()
    torch.save(outcome.weights, folder / f"{rank}.pt")


@pytest.mark.slow
def test_two_processes_train_the_model_of_one(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(work, (port, tmp_path), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    alone = Trainer(
        Deblur(),
        TrainConfig(steps=12, batch=4, log_steps=4),
        Place(tmp_path / "alone", torch.device("cpu")),
    ).fit()
    for name, value in alone.weights.items():
        assert torch.equal(first[name], second[name])
        # The mean of two half batches rounds otherwise than one mean; Adam's first steps,
        # ±lr by the sign of the gradient, are what such rounding can turn.
        torch.testing.assert_close(first[name], value, rtol=0, atol=1e-4)


def test_a_batch_is_split_without_loss():
    batch = [torch.arange(6), torch.arange(12).reshape(6, 2)]
    parts = [Replicas(rank, 3).share(batch) for rank in range(3)]
    for whole, pieces in zip(batch, zip(*parts, strict=True), strict=True):
        assert torch.equal(torch.cat(pieces), whole)


def test_an_uneven_batch_is_refused():
    with pytest.raises(ValueError, match="batch of 5 does not divide among 2"):
        Replicas(0, 2).share([torch.zeros(5)])


@pytest.mark.parametrize(
    ("named", "meant"), [("cuda", "cuda:3"), ("cuda:1", "cuda:1"), ("cpu", "cpu")]
)
def test_every_process_takes_the_gpu_it_was_numbered_for(monkeypatch, named, meant):
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert own(torch.device(named)) == torch.device(meant)
