"""cache: gives an answer again while nothing has changed that it depends on.

An answer depends on the question, the passages (the state of every collection that is searched), who may read them, and the
settings of models and prompts. A turn that leans on earlier ones is not looked up where a generator reads those too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from anchorage.chat.retrieval.packing import PackableHits
from anchorage.errors import AnchorageError, NotFound
from anchorage.model import Citation, Hit, Unsupported
from anchorage.ports.cache import AnswerCache, Payload, Slot
from anchorage.telemetry import CACHED, degraded

if TYPE_CHECKING:
    from anchorage.chat.state import TurnContext, TurnState

_DECIDING = re.compile(
    r"\d+|(?<=\W)[A-ZÀ-Þ]\w+|\b(?:not|no|never|without|nor|except|n't|không|nicht|kein\w*|ne|pas|sin)\b"
)


@dataclass(frozen=True, slots=True)
class Caching:
    """A cache with what all its answers depend on besides the documents; questions that are `similar` enough share one."""

    cache: AnswerCache
    fingerprint: str
    similar: float | None


@dataclass(frozen=True, slots=True)
class Recollection:
    """What was found, or where to keep what is going to be written; the question's vector where it was made."""

    payload: Payload | None = None
    slot: Slot | None = None
    vector: NDArray[Any] | None = None


async def recall(context: TurnContext, state: TurnState) -> Recollection:
    """The answer that was given before, if there is one. A cache that fails costs the cache, not the turn."""
    services = context.services
    caching = services.caching
    if caching is None or (state["history"] and services.generator is not None):
        return Recollection()
    question = state["standalone_question"]
    try:
        slot = await _slot(context, caching, state)
        if state.get("fresh"):
            return Recollection(slot=slot)
        if payload := await caching.cache.exact(slot):
            CACHED.labels("exact").inc()
            return Recollection(payload)
        vector = None
        if caching.similar is not None:
            vector = await services.vector_of(context.principal, question)
            for payload in await caching.cache.near(slot, vector, caching.similar):
                if _DECIDING.findall(payload["question"]) == _DECIDING.findall(question):
                    CACHED.labels("similar").inc()
                    return Recollection(payload)
    except NotFound:  # of a collection, not of the cache: the search tells
        return Recollection()
    except AnchorageError as error:
        degraded("no_answer_cache", error.message)
        return Recollection()
    CACHED.labels("miss").inc()
    return Recollection(slot=slot, vector=vector)


async def keep(context: TurnContext, state: TurnState) -> None:
    """Remember the answer of a turn, where `recall` found a slot for it and the model came to its end."""
    caching, slot = context.services.caching, state.get("slot")
    if caching is None or slot is None or state["usage"].cut:
        return
    payload = {
        "question": state["standalone_question"],
        "answer": state["answer"],
        "abstained": state["abstained"],
        "citations": [asdict(citation) for citation in state["citations"]],
        "unsupported": [asdict(item) for item in state["unsupported"]],
        "hits": [asdict(hit) for hit in state["hits"]],
    }
    vector = state.get("question_vector") if caching.similar is not None else None
    try:
        await caching.cache.keep(
            slot, vector, payload, None if context.history is not None else state["conversation_id"]
        )
    except AnchorageError as error:
        degraded("no_answer_cache", error.message)


async def forget(caching: Caching | None, conversation_ids: Sequence[str]) -> None:
    """Forget the answers that were kept for deleted conversations. With a cache that is away they stay there until their time is over."""
    if caching is None or not conversation_ids:
        return
    try:
        await caching.cache.forget(conversation_ids)
    except AnchorageError as error:
        degraded("cached_answers_left", error.message)


def recalled(payload: Payload) -> TurnState:
    """The part of a turn's state that an earlier answer stands for."""
    return {
        "hits": PackableHits([_hit(item) for item in payload["hits"]]),
        "answer": payload["answer"],
        "abstained": payload["abstained"],
        "citations": [Citation(**item) for item in payload["citations"]],
        "unsupported": [Unsupported(**item) for item in payload.get("unsupported", ())],
        "statements": (),
        "recalled": True,
    }


def _hit(item: Mapping[str, Any]) -> Hit:
    return Hit(**{**item, "heading_path": tuple(item["heading_path"])})


async def _slot(context: TurnContext, caching: Caching, state: TurnState) -> Slot:
    collections = sorted(state.get("collections") or ())
    now = await context.services.store.state(context.principal, collections or None)
    family = _digest(caching.fingerprint, *context.principal.readers, "", *collections)
    return Slot(family, _digest(family, now), " ".join(state["standalone_question"].casefold().split()).rstrip(" ?!."))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode("utf-8", "replace")).hexdigest()
