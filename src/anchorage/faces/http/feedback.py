"""Feedback: thumbs with a comment on any answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from anchorage.chat.safety.question import strip_unstorable_characters
from anchorage.errors import BadRequest, TooLarge
from anchorage.faces.http.described import describe_answer
from anchorage.faces.http.shapes import FeedbackShape, Ratings
from anchorage.faces.http.state import CurrentPrincipal, CurrentServices
from anchorage.faces.shapes import feedback_json
from anchorage.model import Feedback
from anchorage.ports.feedback import Place
from anchorage.telemetry import FEEDBACK

router = APIRouter(prefix="/api/feedback", tags=["Feedback"])
Rating = Literal["up", "down", 1, -1]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_VALUES = {"up": 1, "down": -1}


class NewFeedback(BaseModel):
    """What you think of an answer."""

    message_id: str = Field(min_length=1, max_length=128)
    conversation_id: str | None = Field(None, max_length=128, description="needed where several hold such a message")
    rating: Rating = Field(description="`up` or `down`; 1 and -1 mean the same")
    comment: str = Field("", description="in your own words")


@router.post("", summary="Rate an answer", **describe_answer(FeedbackShape))
async def rate(body: NewFeedback, services: CurrentServices, principal: CurrentPrincipal) -> dict[str, Any]:
    """Keep a rating of an answer in one of your conversations; a later one replaces it."""
    limit = services.settings.feedback.comment_limit
    comment = strip_unstorable_characters(body.comment).strip()
    if len(comment) > limit:
        raise TooLarge(
            f"The comment has {len(comment)} characters; at most {limit} are kept (ANCHORAGE_FEEDBACK__COMMENT_LIMIT). "
            "Shorten it."
        )
    kept = await services.storage.feedback.rate(
        principal, body.message_id, _parse_rating(body.rating), comment, conversation_id=body.conversation_id
    )
    FEEDBACK.labels("up" if kept.rating > 0 else "down").inc()
    return feedback_json(kept)


@router.get("", summary="List ratings", **describe_answer(Ratings))
async def ratings(
    services: CurrentServices, principal: CurrentPrincipal, rating: Literal["up", "down"] | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100, after: str | None = None, conversation_id: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Your ratings with the answers as they were rated, the newest first. `after` is the `next` of the page before."""
    place = _parse_mark(after) if after is not None else None
    found = await services.storage.feedback.ratings(
        principal,
        rating=_parse_rating(rating) if rating else None,
        conversation_id=conversation_id,
        limit=limit + 1,
        after=place,
    )
    page = found[:limit]
    following = _make_mark(page[-1]) if len(found) > limit else None
    return {"feedback": [feedback_json(item) for item in page], "next": following}


@router.delete("/{message_id}", status_code=204, summary="Take a rating back")
async def withdraw(
    message_id: str, services: CurrentServices, principal: CurrentPrincipal, conversation_id: str | None = None
) -> Response:
    """Forget what you thought of an answer."""
    await services.storage.feedback.withdraw(principal, message_id, conversation_id=conversation_id)
    return Response(status_code=204)


def _make_mark(item: Feedback) -> str:
    """Make the mark of a page's end. It holds the time too, since the rating may be withdrawn or repeated before the next page."""
    moment = (item.created_at - _EPOCH) // timedelta(microseconds=1)
    return f"{moment}/{item.conversation_id}/{item.message_id}"


def _parse_mark(after: str) -> Place:
    """Parse a mark into its place. Raises `BadRequest` for one that no list returned."""
    moment, _, rest = strip_unstorable_characters(after).partition("/")
    conversation, slash, message = rest.partition("/")
    try:
        if not slash:
            raise ValueError("too few parts")
        return _EPOCH + timedelta(microseconds=int(moment)), conversation, message
    except (ValueError, OverflowError) as error:
        raise BadRequest("`after` is no place in this list: take it from `next` of the page before.") from error


def _parse_rating(rating: Rating) -> int:
    return _VALUES[rating] if isinstance(rating, str) else rating
