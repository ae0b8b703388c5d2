"""What a route tells OpenAPI of its answers."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


def answers(model: type[BaseModel], status: int = 200) -> dict[str, Any]:
    """Arguments for a route that answers with this shape. It is told, not enforced: what is returned is sent as it is."""
    return {"response_model": None, "responses": {status: {"model": model}}}
