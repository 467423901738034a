"""JSON text: parsed such that whatever is wrong with it is one kind of error."""

import json
from typing import Any

MALFORMED = (LookupError, TypeError, ValueError, AttributeError, OverflowError)
"""What using parsed JSON raises if it is not what was written: no list, a missing key, an infinite number."""


def parse_json(text: str | bytes) -> Any:
    """Parse JSON; json.JSONDecodeError (a ValueError) also for brackets that no parser can follow."""
    try:
        return json.loads(text)
    except RecursionError:  # a file of 100 kB of brackets is enough
        raise json.JSONDecodeError("nested too deeply", "", 0) from None
