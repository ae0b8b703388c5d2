"""Fast JSON for data that is written and read many times a second: a model's events, memory, responses."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import orjson


def dumps(value: Any) -> bytes:
    """Return compact JSON in UTF-8, also of dataclasses; in ASCII where the text holds a lone surrogate, which UTF-8 cannot. NaN becomes null."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return json.dumps(value, separators=(",", ":"), default=asdict).encode()


def loads(value: bytes | str) -> Any:
    """Parse JSON, lone surrogates included, which the faster parser refuses. Raises `ValueError`."""
    try:
        return orjson.loads(value)
    except ValueError:
        return json.loads(value)
