"""Weights shipped in the package and the loader that verifies them."""
