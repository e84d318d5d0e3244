"""Identities that prove each mixer against its paper, on the user's own device and precision."""
