"""Attention mechanisms: same shape in and out, no norm, no residual, no image size inside."""
