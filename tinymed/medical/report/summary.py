"""What a run leaves behind for people: pictures and a model card."""

from typing import Any


def write_report(*arguments: Any) -> None:
    """Not written yet."""
