"""recall: reuses an earlier answer while nothing has changed that it depends on.

An answer depends on the question, the passages (the state of every collection that is searched), who may read them, and the
settings of models and prompts. A turn with a history is not looked up where a generator reads that history, too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from anchorage.chat.retrieval.embed import QuestionEmbedder
from anchorage.chat.retrieval.packing import PackableHits
from anchorage.chat.state import ChatLimits, TurnContext, TurnState
from anchorage.errors import AnchorageError, NotFound
from anchorage.model import Hit, Principal, Unsupported, read_citation
from anchorage.ports.cache import AnswerCache, Payload, Slot
from anchorage.ports.search import Search
from anchorage.telemetry import ANSWER_CACHE_LOOKUPS, record_degradation

_DECISIVE_WORDS = re.compile(
    r"\d+|(?<=\W)[A-ZÀ-Þ]\w+|\b(?:not|no|never|without|nor|except|n't|không|nicht|kein\w*|ne|pas|sin)\b"
)


@dataclass(frozen=True, slots=True)
class Caching:
    """A cache with the fingerprint of the settings that its answers depend on. Questions with a cosine of `similar` share an answer."""

    cache: AnswerCache
    fingerprint: str
    similar: float | None


class AnswerRecall:
    """The step that looks up an earlier answer, and keeps the new one later. Without `caching` it finds nothing.

    `written`: a generator writes the answers, and reads the turns before.
    """

    def __init__(
        self, caching: Caching | None, search: Search, embedder: QuestionEmbedder, limits: ChatLimits, *, written: bool
    ) -> None:
        self._caching, self._search, self._embedder, self._written = caching, search, embedder, written
        self._most_tokens = limits.max_tokens

    async def recall_answer(self, state: TurnState, context: TurnContext) -> TurnState:
        """Return the earlier answer if there is one, else the slot for the new one.

        If the cache fails, the turn goes on without it.
        """
        caching = self._caching
        if caching is None or (state["history"] and self._written):
            return {}
        if context.max_tokens is not None and context.max_tokens < self._most_tokens:
            return {}  # answers that are cut short for one client are not kept for others
        question, vector = state["standalone_question"], None
        try:
            slot = await self._find_slot(context.principal, caching, state)
            if state.get("fresh"):
                return {"slot": slot}
            if payload := await caching.cache.exact(slot):
                ANSWER_CACHE_LOOKUPS.labels("exact").inc()
                return await _replay_answer(payload, context)
            if caching.similar is not None:
                vector = await self._embedder.embed_question(context.principal, question)
                for payload in await caching.cache.near(slot, vector, caching.similar):
                    if _DECISIVE_WORDS.findall(payload["question"]) == _DECISIVE_WORDS.findall(question):
                        ANSWER_CACHE_LOOKUPS.labels("similar").inc()
                        return await _replay_answer(payload, context)
        except NotFound:  # a collection is missing: the search reports it
            return {}
        except AnchorageError as error:
            record_degradation("no_answer_cache", error.message)
            return {}
        ANSWER_CACHE_LOOKUPS.labels("miss").inc()
        return {"slot": slot, "question_vector": vector}

    async def keep_answer(self, state: TurnState, context: TurnContext) -> None:
        """Keep the answer of a turn, if it has a slot and the model was not cut short."""
        caching, slot = self._caching, state.get("slot")
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
        conversation = None if context.history is not None else state["conversation_id"]
        try:
            await caching.cache.keep(slot, vector, payload, conversation)
        except AnchorageError as error:
            record_degradation("no_answer_cache", error.message)

    async def _find_slot(self, principal: Principal, caching: Caching, state: TurnState) -> Slot:
        collections = sorted(state.get("collections") or ())
        now = await self._search.state(principal, collections or None)
        family = _digest(caching.fingerprint, *principal.readers, "", *collections)
        question = " ".join(state["standalone_question"].casefold().split()).rstrip(" ?!.")
        return Slot(family, _digest(family, now), question)


async def forget_answers(caching: Caching | None, conversation_ids: Sequence[str]) -> None:
    """Delete the kept answers of deleted conversations. If the cache is away, they stay until they expire."""
    if caching is None or not conversation_ids:
        return
    try:
        await caching.cache.forget(conversation_ids)
    except AnchorageError as error:
        record_degradation("cached_answers_left", error.message)


async def _replay_answer(payload: Payload, context: TurnContext) -> TurnState:
    """Emit an earlier answer as if it were written now, and return its part of the turn's state."""
    hits = PackableHits([_parse_hit(item) for item in payload["hits"]])
    await context.emit("hits", {"hits": hits})
    await context.emit_text(payload["answer"])
    return {
        "hits": hits,
        "answer": payload["answer"],
        "abstained": payload["abstained"],
        "citations": [read_citation(item) for item in payload["citations"]],
        "unsupported": [Unsupported(**item) for item in payload.get("unsupported", ())],
        "statements": (),
    }


def _parse_hit(item: Mapping[str, Any]) -> Hit:
    return Hit(**{**item, "heading_path": tuple(item["heading_path"])})


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode("utf-8", "replace")).hexdigest()
