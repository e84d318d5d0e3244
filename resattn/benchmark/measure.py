"""Time and memory of one call."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import torch
from torch.profiler import ProfilerActivity, profile


def seconds(call: Callable[[], object], device: torch.device, budget: float) -> float:
    """Shortest time of one call, over as many calls as fit in `budget` seconds, at least five.

    On a CPU it is the time of this process's threads, which other processes do not lengthen; on
    an accelerator the time between two events around the call.
    """
    timer = partial(_device_seconds, device) if device.type == "cuda" else _cpu_seconds
    timer(call)
    best, spent, calls = float("inf"), 0.0, 0
    while calls < 5 or spent < budget:
        last = timer(call)
        best, spent, calls = min(best, last), spent + last, calls + 1
    return best


def peak_bytes(call: Callable[[], object], device: torch.device) -> int:
    """Most memory allocated at once during the call beyond what was allocated before."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        call()
        return torch.cuda.max_memory_allocated(device) - before
    call()  # buffers that live as long as the process are made here
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        call()
    results = recorded.profiler.kineto_results if recorded.profiler else None
    events = [e for e in results.events() if e.name() == "[memory]"] if results else []
    current = peak = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        current += event.nbytes()
        peak = max(peak, current)
    return peak


def _cpu_seconds(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def _device_seconds(device: torch.device, call: Callable[[], object]) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    with torch.cuda.device(device):  # events are of the current one
        start.record()
        call()
        end.record()
        end.synchronize()
    return float(start.elapsed_time(end)) / 1000
