"""Who a request between roles is for: the principal in a header, vouched for by the token that roles share."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from functools import lru_cache

from pydantic import TypeAdapter, ValidationError

from anchorage.errors import NotAllowed
from anchorage.model import Principal
from anchorage.ports.roles import PRINCIPAL_HEADER, TOKEN_HEADER


@lru_cache(maxsize=1)
def _principal_form() -> TypeAdapter[Principal]:
    return TypeAdapter(Principal)


def vouch_for(principal: Principal, token: str) -> dict[str, str]:
    """Make the headers that say for whom a request is."""
    return {TOKEN_HEADER: token, PRINCIPAL_HEADER: base64.b64encode(_principal_form().dump_json(principal)).decode()}


def verify_principal(headers: Mapping[str, str], token: str) -> Principal:
    """Return the principal that another role vouches for. Raises `NotAllowed` without the right token."""
    given = headers.get(TOKEN_HEADER, "").encode("utf-8", "replace")
    if not hmac.compare_digest(given, token.encode()):
        raise NotAllowed(
            "This role answers to the other roles of its installation alone, and this request does not carry their token. Ask the API "
            "instead; if this came from the API, give both the same ANCHORAGE_ROLES__TOKEN."
        )
    try:
        return _principal_form().validate_json(base64.b64decode(headers.get(PRINCIPAL_HEADER, ""), validate=True))
    except (ValidationError, binascii.Error, ValueError) as error:
        raise NotAllowed("A role sent a request without saying for whom. Run the same release everywhere.") from error
