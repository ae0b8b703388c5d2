"""What the routes share: the services, and whether the process is ready for requests."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Request

from anchorage.errors import Unavailable
from anchorage.faces.http.saturation import Saturation
from anchorage.faces.running import Running
from anchorage.model import Principal
from anchorage.wiring.services import Services


@dataclass(slots=True)
class ProcessState:
    """Changes while the process lives; `waiting_for` says what is not done yet."""

    services: Services | None = None
    waiting_for: str | None = "the services to start"
    lingers: bool = False
    """It serves on for a while before it ends, so that no client's request fails."""
    draining: bool = False
    """It is to end: nobody new should come, and connections close with their responses."""
    ending: bool = False
    """It takes no more connections; what lasts must come to an end."""
    running: Running | None = None
    """What this process has said of itself in its data directory."""
    saturation: Saturation = field(default_factory=Saturation)
    _adding: asyncio.Semaphore | None = None

    def adding_texts(self, most: int) -> asyncio.Semaphore:
        """What lets so many texts be ingested at once by requests that wait for it."""
        self._adding = self._adding or asyncio.Semaphore(most)
        return self._adding


async def process_state(request: Request) -> ProcessState:
    return cast(ProcessState, request.app.state.process)


async def services(request: Request) -> Services:
    """Raises `Unavailable` before the services are open."""
    found = (await process_state(request)).services
    if found is None:
        raise Unavailable("The server is starting. Try again in a moment.")
    return found


async def principal(request: Request) -> Principal:
    """Who asks. Raises what the resolver raises."""
    return await (await services(request)).principals(request.headers)


CurrentServices = Annotated[Services, Depends(services)]
CurrentPrincipal = Annotated[Principal, Depends(principal)]
CurrentState = Annotated[ProcessState, Depends(process_state)]
