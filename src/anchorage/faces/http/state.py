"""State that the routes share: the services, and whether the process is ready for requests."""

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
    _text_slots: asyncio.Semaphore | None = None

    def get_text_slots(self, most: int) -> asyncio.Semaphore:
        """The semaphore that bounds how many texts are ingested at once by requests that wait for it."""
        self._text_slots = self._text_slots or asyncio.Semaphore(most)
        return self._text_slots


async def get_process_state(request: Request) -> ProcessState:
    return cast(ProcessState, request.app.state.process)


async def get_services(request: Request) -> Services:
    """Raises `Unavailable` before the services are open."""
    found = (await get_process_state(request)).services
    if found is None:
        raise Unavailable("The server is starting. Try again in a moment.")
    return found


async def get_principal(request: Request) -> Principal:
    """Who asks. Raises what the resolver raises."""
    return await (await get_services(request)).principals(request.headers)


CurrentServices = Annotated[Services, Depends(get_services)]
CurrentPrincipal = Annotated[Principal, Depends(get_principal)]
CurrentState = Annotated[ProcessState, Depends(get_process_state)]
