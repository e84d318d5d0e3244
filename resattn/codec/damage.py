"""What every reader of a `.rac` file raises when its bytes contradict themselves."""

from __future__ import annotations


class DamageError(Exception):
    """The bytes are not what a writer makes: cut short, altered, or made for another network.

    Internal to the codec: whoever knows the file's name turns it into an `ItemError`.
    """
