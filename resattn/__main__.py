"""Lets `python -m resattn` behave as the `resattn` command, also in a checkout not installed."""

from resattn.cli.main import run

if __name__ == "__main__":
    run()
