"""`python -m anchorage.faces.http.openapi` prints the OpenAPI description, from which the types of the web page are made."""

from __future__ import annotations

import json
from typing import Any

from anchorage.faces.http.app import create_app
from anchorage.faces.http.state import ProcessState
from anchorage.settings.sections import HttpSettings


def description() -> dict[str, Any]:
    """The description of this release, without its number, which changes nothing."""
    found = create_app(HttpSettings(), ProcessState()).openapi()
    return {**found, "info": {**found["info"], "version": "0"}}


def description_text() -> str:
    return json.dumps(description(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(description_text(), end="")  # noqa: T201
