"""`python -m anchorage.faces.http.openapi` prints the OpenAPI description, from which the types of the web page are made."""

from __future__ import annotations

import json
from typing import Any

from anchorage.faces.http.app import create_app
from anchorage.faces.http.state import ProcessState
from anchorage.settings.sections import HttpSettings


def describe_api() -> dict[str, Any]:
    """Describe the API of this release, without the release's number."""
    found = create_app(HttpSettings(), ProcessState()).openapi()
    return {**found, "info": {**found["info"], "version": "0"}}


def format_description() -> str:
    return json.dumps(describe_api(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(format_description(), end="")  # noqa: T201
