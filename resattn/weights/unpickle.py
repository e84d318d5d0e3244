"""Tensors out of a pickled checkpoint. Runs as a program of its own, in a process of its own.

The parent gives it two paths and a time to live; it answers with a safetensors file or an exit
code. It imports torch and nothing of resattn, so that it can be started isolated from the
environment.
"""

from __future__ import annotations

import resource
import sys
from typing import Any

BAD_FILE, OLD_TORCH = 3, 4
_MEMORY = 8 << 30
_SECONDS = 120
_HOLDERS = ("params_ema", "params", "state_dict", "model", "ema", "net")
_OLDEST_TORCH = (2, 10)  # before it, the restricted unpickler could corrupt memory


def main(source: str, target: str) -> int:
    """Writes the tensors of `source` to `target`; returns the exit code."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    import safetensors.torch
    import torch

    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < _OLDEST_TORCH:
        sys.stderr.write(f"torch {torch.__version__} is too old to read pickles safely")
        return OLD_TORCH
    try:
        found = _state(torch.load(source, map_location="cpu", weights_only=True))
    except Exception as error:
        sys.stderr.write(f"{type(error).__name__}: {error}".splitlines()[0])
        return BAD_FILE
    tensors = {k: v.clone().contiguous() for k, v in found.items() if isinstance(v, torch.Tensor)}
    if not tensors:
        sys.stderr.write("it holds no tensors")
        return BAD_FILE
    safetensors.torch.save_file(tensors, target)
    return 0


def _state(document: Any) -> dict[str, Any]:
    """The innermost table of tensors, under the names trainers give it."""
    for holder in _HOLDERS:
        if isinstance(document, dict) and isinstance(document.get(holder), dict):
            return _state(document[holder])
    return document if isinstance(document, dict) else {}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
