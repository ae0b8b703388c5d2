"""JSON where it is written and read many times a second: a model's events, what is remembered, what is sent."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import orjson


def dumps(value: Any) -> bytes:
    """Compact JSON in UTF-8, also of dataclasses; in ASCII where the text holds half a character, which UTF-8 cannot. What is no number is null."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return json.dumps(value, separators=(",", ":"), default=asdict).encode()


def loads(value: bytes | str) -> Any:
    """What the JSON says, halves of characters included, which the faster parser does not take. Raises `ValueError`."""
    try:
        return orjson.loads(value)
    except ValueError:
        return json.loads(value)
