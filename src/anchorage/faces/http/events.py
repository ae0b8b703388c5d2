"""The events of a chat stream, as OpenAPI describes them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, RootModel

from anchorage.faces.http.shapes import AnswerShape, HitShape


class _Numbered(BaseModel):
    n: int
    turn: int
    attempt: int


class StartEvent(_Numbered):
    """The question was accepted."""

    type: Literal["start"]
    conversation_id: str
    message_id: str


class ResetEvent(_Numbered):
    """A new attempt begins; what this turn has shown is void."""

    type: Literal["reset"]
    conversation_id: str
    message_id: str


class HitsEvent(_Numbered):
    """What retrieval found."""

    type: Literal["hits"]
    hits: list[HitShape]


class TokenEvent(_Numbered):
    """A piece of the answer."""

    type: Literal["token"]
    text: str


class AnswerEvent(_Numbered, AnswerShape):
    """The whole answer."""

    type: Literal["answer"]


class ErrorEvent(_Numbered):
    """There is no answer."""

    type: Literal["error"]
    code: str
    message: str
    temporary: bool


class DoneEvent(_Numbered):
    """Nothing comes after it."""

    type: Literal["done"]


Event = Annotated[
    StartEvent | ResetEvent | HitsEvent | TokenEvent | AnswerEvent | ErrorEvent | DoneEvent, Field(discriminator="type")
]


class ChatEvent(RootModel[Event]):
    """The data of one event of a chat stream."""
