"""A scene's files are open for as long as a thread reads them."""

from __future__ import annotations

import threading
import time

import pytest

from resattn.errors import ItemError
from resattn.io.raster import Raster
from resattn.pipelines.scene_reader import open_scene
from resattn.tiling import Window
from tests.scenes import make_scene


def test_an_interrupt_waits_for_the_thread_that_reads(tmp_path, monkeypatch):
    scene = make_scene(tmp_path)
    read, begun, done = Raster.read, threading.Event(), threading.Event()

    def slow(self, *arguments):
        begun.set()
        time.sleep(0.2)
        pixels = read(self, *arguments)
        done.set()
        return pixels

    monkeypatch.setattr(Raster, "read", slow)

    def work():
        with open_scene(scene.pan, [scene.ms]) as files:
            threading.Thread(target=files.read_pan, args=[Window(0, 0, 8, 8)]).start()
            assert begun.wait(10)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done.is_set()


def test_a_thread_that_comes_too_late_is_refused(tmp_path):
    scene = make_scene(tmp_path)
    with open_scene(scene.pan, [scene.ms]) as files:
        pass
    with pytest.raises(ItemError, match="is closed"):
        files.read_pan(Window(0, 0, 8, 8))
