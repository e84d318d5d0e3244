"""A picture of the benchmark: each mixer's share of the two limits."""

from __future__ import annotations

from pathlib import Path

from resattn.benchmark.machine import Row
from resattn.errors import UserError


def plot(rows: list[Row], path: Path) -> None:
    """Writes bars of both shares, one group per row, to `path` in the format of its suffix.

    Raises:
        UserError: matplotlib is not installed, or cannot write that suffix.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError(
            "a plot needs matplotlib", "pip install 'resattn[report]'", code="E210"
        ) from error
    figure = Figure(figsize=(8, 1 + 0.32 * len(rows)), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    if path.suffix.lstrip(".") not in canvas.get_supported_filetypes():
        raise UserError(f"cannot draw a {path.suffix or 'file without suffix'}", "use .png or .svg")
    axes = figure.subplots()
    places = range(len(rows))
    axes.barh([i - 0.2 for i in places], [r.gemm_share for r in rows], 0.4, label="of GEMM rate")
    axes.barh([i + 0.2 for i in places], [r.copy_share for r in rows], 0.4, label="of copy rate")
    axes.set_yticks(places, [f"{r.name}, {r.size}" for r in rows])
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel("share of the machine's measured limit")
    axes.legend()
    figure.savefig(path)
