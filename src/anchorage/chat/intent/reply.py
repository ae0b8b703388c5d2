"""reply: answers what needs no passage: small talk, the catalogue, and questions that name nothing."""

from __future__ import annotations

from collections.abc import Sequence

from anchorage.chat.intent.catalogue import CatalogueReader
from anchorage.chat.intent.detect import Detected, Intent, detect_intent
from anchorage.chat.intent.phrases import Talk
from anchorage.chat.memory.recount import recount_questions
from anchorage.chat.memory.rewrite import is_about_conversation
from anchorage.chat.retrieval.packing import PackableHits
from anchorage.chat.state import TurnContext, TurnState
from anchorage.model import Principal


class IntentReplier:
    """The step behind the guard. An answer that it gives is whole: it cites nothing, since it rests on no passage."""

    def __init__(self, catalogue: CatalogueReader) -> None:
        self._catalogue = catalogue

    async def reply_to_intent(self, state: TurnState, context: TurnContext) -> TurnState:
        """The answer to a message that needs no passage; nothing for any other."""
        if is_about_conversation(state["question"]):
            return await _settle(recount_questions(state["history"]), state, context)
        detected = detect_intent(state["question"], alone=not state["history"])
        if detected.intent is Intent.DOCUMENTS:
            return {}
        collections = state.get("collections")
        if detected.intent is Intent.TALK:
            text = await self._talk(context.principal, detected, collections)
        elif detected.intent is Intent.VAGUE:
            text = await self._ask_back(context.principal, detected, collections)
        else:
            answer = await self._catalogue.answer(context.principal, detected, collections)
            if answer is None:
                return {}
            text = answer
        return await _settle(text, state, context)

    async def _talk(self, principal: Principal, detected: Detected, collections: Sequence[str] | None) -> str:
        """A short and honest sentence; to who asks what can be done, with questions that these documents answer."""
        assert detected.talk is not None
        replies = detected.phrases.replies
        if detected.talk is not Talk.GREETING and detected.talk is not Talk.ABILITIES:
            return replies[detected.talk]
        topics = await self._catalogue.name_topics(principal, collections)
        if not topics:
            return f"{replies[detected.talk]} {replies['empty']}"
        return "\n".join(
            [replies[detected.talk], replies["try"], *(f"- {replies['about'].format(topic=topic)}" for topic in topics)]
        )

    async def _ask_back(self, principal: Principal, detected: Detected, collections: Sequence[str] | None) -> str:
        """A question back, with topics to choose from."""
        replies = detected.phrases.replies
        topics = await self._catalogue.name_topics(principal, collections)
        return (
            "\n".join([replies["clarify"], *(f"- {topic}" for topic in topics)]) if topics else replies["clarify_plain"]
        )


async def _settle(text: str, state: TurnState, context: TurnContext) -> TurnState:
    await context.emit_text(text)
    return {
        "standalone_question": state["question"], "hits": PackableHits(), "answer": text, "abstained": False, "statements": (),
        "unsupported": (), "citations": (),
    }  # fmt: skip
