"""What code knows of a frame, as JSON: the one place that writes it."""

import json
from typing import Any

# What a frame takes, in bytes of UTF-8.
MOST_BYTES = 1 << 16


def as_json(value: Any) -> str:
    """Return it without spaces and escapes: what is counted is what goes through pipes."""
    return json.dumps(
        value, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain
    )


def _plain(value: Any) -> Any:
    """Return a number or an array of numpy's as Python's own."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no JSON")
