"""Hypothesis settings: wall-clock deadlines say nothing on a shared machine."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("resattn", deadline=None)
settings.load_profile("resattn")
