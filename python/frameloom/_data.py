"""What numpy gives, as JSON knows it."""

from typing import Any


def plain(value: Any) -> Any:
    """Return a number or an array of numpy's as Python's own; for `json.dumps`."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no JSON")
