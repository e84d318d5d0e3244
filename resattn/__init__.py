"""Five image jobs on one residual-attention core.

Importing this package costs nothing but itself: torch, OpenCV, rasterio and NumPy are loaded by
the submodule that needs them, because `resattn --help` must answer at once.
"""

from resattn.version import __version__

__all__ = ["__version__"]
