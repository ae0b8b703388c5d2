"""MCP servers: nothing here is imported before one is asked for."""

from __future__ import annotations

import importlib
from types import ModuleType

from anchorage.errors import ConfigurationError


def load_documents_server() -> ModuleType:
    """The module `anchorage.faces.mcp.documents`; takes about a second. Raises `ConfigurationError` without the library."""
    try:
        return importlib.import_module("anchorage.faces.mcp.documents")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("mcp", "mcp_types"):
            raise
        raise ConfigurationError(
            "MCP needs a library that is not installed. Install Anchorage with its extra `mcp`."
        ) from error
