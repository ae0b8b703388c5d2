"""Describes the answers of routes to OpenAPI."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


def describe_answer(model: type[BaseModel], status: int = 200) -> dict[str, Any]:
    """Arguments for a route that answers with this shape. They only describe: what the route returns is sent as it is."""
    return {"response_model": None, "responses": {status: {"model": model}}}
