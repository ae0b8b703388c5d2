"""POST /internal/retrieve: the search for a question, for the other roles of the installation."""

from __future__ import annotations

import numpy as np
from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from anchorage.errors import BadRequest
from anchorage.faces.http.connection import run_while_connected
from anchorage.faces.http.state import CurrentPrincipal, CurrentServices
from anchorage.ports.retrieval_role import Found
from anchorage.ports.roles import asked_form, found_form

router = APIRouter(prefix="/internal", include_in_schema=False)


@router.post("/retrieve")
async def retrieve(request: Request, services: CurrentServices, principal: CurrentPrincipal) -> Response:
    """What the index holds for the question; the search ends when whoever wants it has left."""
    try:
        asked = asked_form().validate_json(await request.body())
    except ValidationError as error:
        raise BadRequest("This is no question of another role. Run the same release everywhere.") from error
    own = services.models.embedder.spec
    known = np.asarray(asked.vector, dtype=np.float32) if asked.vector and asked.embedder == own else None
    finder = services.asking.finder
    search = finder.find_candidates(principal, asked.question, asked.collections, asked.k, vector=known)
    ranking, vector = await run_while_connected(request.receive, search)
    used = None if vector is None else tuple(map(float, vector))
    return Response(found_form().dump_json(Found(ranking, used, own)), media_type="application/json")
