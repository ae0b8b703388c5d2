"""Roles that run elsewhere, and who may speak for a principal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack

from anchorage.adapters.models.http import open_model_client
from anchorage.adapters.roles.ingest import HttpForwarder
from anchorage.adapters.roles.retrieval import HttpRetrievalRole
from anchorage.adapters.roles.trust import verify_principal
from anchorage.model import LOCAL_OWNER, Principal
from anchorage.ports.forwarder import Forwarder
from anchorage.ports.retrieval_role import RetrievalRole
from anchorage.ports.roles import TOKEN_HEADER
from anchorage.settings.roles import RoleSettings

PrincipalResolver = Callable[[Mapping[str, str]], Awaitable[Principal]]
"""Who sends a request, by its headers (names in lower case). Raises `NotAllowed`."""


async def local_owner(headers: Mapping[str, str]) -> Principal:
    """Everybody who reaches this server is its owner."""
    return LOCAL_OWNER


def principals_of(roles: RoleSettings) -> PrincipalResolver:
    """Clients are resolved as ever. The internal roles take a principal that another role vouches for; retrieval takes no other."""
    if roles.token is None or roles.only not in ("retrieval", "ingest"):
        return local_owner
    token = roles.token.get_secret_value()

    async def resolve(headers: Mapping[str, str]) -> Principal:
        if roles.only == "ingest" and TOKEN_HEADER not in headers:
            return await local_owner(headers)
        return verify_principal(headers, token)

    return resolve


async def open_roles(roles: RoleSettings, stack: AsyncExitStack) -> tuple[RetrievalRole | None, Forwarder | None]:
    """The retrieval and the ingest role, where they are elsewhere and this process is neither."""
    if roles.token is None or roles.only in ("retrieval", "ingest"):
        return None, None
    token = roles.token.get_secret_value()
    role: RetrievalRole | None = None
    forwarder: Forwarder | None = None
    if roles.retrieval_url or roles.ingest_url:
        client = open_model_client(roles.connect_timeout, max_connections=roles.connections, decompress=False)
        await stack.enter_async_context(client)
        if roles.retrieval_url:
            role = HttpRetrievalRole(client, roles.retrieval_url, token, timeout=roles.retrieval_timeout)
        if roles.ingest_url and roles.only != "mcp":
            forwarder = HttpForwarder(
                client, roles.ingest_url, token, connect_timeout=roles.connect_timeout, silence=roles.silence
            )
    return role, forwarder
