"""The MCP server `documents`: search, ask and list_documents as tools, documents as resources. By the official SDK."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
)
from starlette.types import Receive, Scope, Send

from anchorage.errors import AnchorageError, BadRequest, NotFound
from anchorage.faces.mcp import resources, tools
from anchorage.model import Principal
from anchorage.wiring.services import Services

_INSTRUCTIONS = (
    "Answers from the user's own documents, every sentence cited by document, page and exact span. `ask` gives a cited answer or "
    "says that the documents hold none; `search` gives the passages themselves; the text around a passage is at "
    "anchorage://documents/{document_id}/text/{start}-{end}."
)
_Context = ServerRequestContext[Any, Any]


def create_documents_server(services: Services, principal: Callable[[_Context], Principal]) -> Server[Any]:
    """Create the server over these services; `principal` says who sent a request."""

    async def list_tools(context: _Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=tools.list_tools())

    async def call_tool(context: _Context, params: CallToolRequestParams) -> CallToolResult:
        return await tools.call_tool(services, principal(context), params.name, params.arguments or {})

    async def list_resources(context: _Context, params: PaginatedRequestParams | None) -> ListResourcesResult:
        cursor = params.cursor if params else None
        try:
            return await resources.list_resources(services, principal(context), cursor)
        except AnchorageError as error:
            raise _make_protocol_error(error) from error

    async def list_templates(context: _Context, params: PaginatedRequestParams | None) -> ListResourceTemplatesResult:
        return ListResourceTemplatesResult(resource_templates=resources.list_templates())

    async def read_resource(context: _Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        try:
            return await resources.read_resource(services, principal(context), str(params.uri))
        except AnchorageError as error:
            raise _make_protocol_error(error) from error

    return Server(
        "anchorage",
        version=version("anchorage"),
        title="Anchorage",
        instructions=_INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
    )


def _make_protocol_error(error: AnchorageError) -> MCPError:
    code = INVALID_PARAMS if isinstance(error, BadRequest | NotFound) else INTERNAL_ERROR
    return MCPError(code, error.message, {"code": error.code})


async def serve_http(server: Server[Any], scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one HTTP request: stateless, as JSON. Host and Origin have been checked before."""
    # A manager for each request: nothing is to outlive it, and a manager for all would need a task of its own.
    manager = StreamableHTTPSessionManager(server, json_response=True, stateless=True)
    async with manager.run():
        await manager.handle_request(scope, receive, send)


async def serve_stdio(services: Services) -> None:
    """Answer on stdin and stdout, for the owner of this machine's data, until stdin ends."""
    server = create_documents_server(services, lambda context: services.principal)
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())
