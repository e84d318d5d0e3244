"""A task small enough to train in a test: learn to invert a fixed 3 × 3 blur.

Run as a program it trains once undisturbed and once under SIGKILL: forked children share one
import of torch, which costs more than the training.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
from torch import nn

from resattn.config import Config
from resattn.training.config import TrainConfig
from resattn.training.images import crops, draw
from resattn.training.loop import Place, Trainer
from resattn.training.task import Task


class Deblur(Task):
    name = "deblur"
    metric = "psnr"
    architecture = "none"
    config = Config()

    def __init__(self, side=32):
        noise = torch.rand(6, 1, side, side, generator=torch.Generator().manual_seed(3))
        self.sharp = (noise * 255).byte()
        self.validations = 0

    def build(self):
        return nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1)
        )

    def facts(self):
        return {"side": self.sharp.shape[-1]}

    def sample(self, count, generator):
        choice = draw(count, 4, self.sharp.shape[-2:], 12, generator)
        return [crops(self.sharp, choice, 12)]

    def loss(self, model, batch):
        sharp = batch[0].float() / 255
        return (model(blur(sharp)) - sharp).square().mean()

    def validate(self, model):
        self.validations += 1
        with torch.no_grad():
            sharp = self.sharp[4:].float() / 255
            error = (model(blur(sharp)) - sharp).square().mean()
        return {self.metric: float(-10 * torch.log10(error))}


def blur(image):
    return nn.functional.avg_pool2d(image, 3, 1, 1)


def train(run, **config):
    place = Place(Path(run), torch.device("cpu"))
    return Trainer(Deblur(), TrainConfig(**config), place).fit()


def child(run, steps):
    """Trains in a forked process with a checkpoint after every step."""
    pid = os.fork()
    if pid == 0:
        train(run, steps=steps, batch=4, checkpoint_s=0.0, log_steps=1)
        os._exit(0)
    return pid


def kill_after_progress(run, steps, delay):
    """Lets a child make a step more than the last one, then kills it `delay` seconds later."""
    log = run / "log.jsonl"
    before = log.stat().st_size if log.exists() else 0
    pid = child(run, steps)
    while not log.exists() or log.stat().st_size <= before:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return False
        time.sleep(0.001)
    time.sleep(delay)
    os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def main(folder, steps, kills):
    torch.set_num_threads(1)
    train(folder / "warm", steps=1)  # the first step imports what every child would import again
    os.waitpid(child(folder / "whole", steps), 0)
    chance = random.Random(kills)
    killed = [
        kill_after_progress(folder / "broken", steps, chance.uniform(0, 0.02)) for _ in range(kills)
    ]
    os.waitpid(child(folder / "broken", steps), 0)
    sys.stdout.write(f"{sum(killed)}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
