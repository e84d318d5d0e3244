"""Wounds in photographs: segmenting, measuring, calibrating, following up."""
