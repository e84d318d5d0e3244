"""Measures the attention core against the limits of the machine it runs on."""
