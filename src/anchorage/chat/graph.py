"""A turn of a conversation: question -> guard -> rewrite -> retrieve (and rerank) -> answer (and verify) -> cite -> guard -> remember.

`STORY` is that line. Each step takes the state and gives what it adds to it. They share one LangGraph entrypoint: as nodes of
their own they would each cost a quarter of a millisecond, more than most of them do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from typing import Any, cast

from langgraph.func import entrypoint
from langgraph.runtime import Runtime

from anchorage.chat import answer as answering
from anchorage.chat.cache import keep, recall, recalled
from anchorage.chat.cite import cite
from anchorage.chat.guard import guard_history, guard_in, guard_out, speaking
from anchorage.chat.multi_query import retrieve_many
from anchorage.chat.remember import recount
from anchorage.chat.rewrite import is_about_conversation, rewrite
from anchorage.chat.state import TurnContext, TurnState
from anchorage.chat.trace import trace
from anchorage.model import Turn, Usage

Step = Callable[[TurnState, TurnContext], Awaitable[TurnState]]


async def _rewrite(state: TurnState, context: TurnContext) -> TurnState:
    asked = await guard_in(context.services, context.principal, state["question"])
    if is_about_conversation(asked):
        return {"question": asked, "about_conversation": True, "standalone_question": asked, "hits": ()}
    history = await guard_history(context, asked, state["history"])
    question, usage = await rewrite(context, asked, history)
    context.services.spent(context.principal, usage)
    return {
        "question": asked, "about_conversation": False, "history": history, "standalone_question": question, "usage": usage,
    }  # fmt: skip


async def _retrieve(state: TurnState, context: TurnContext) -> TurnState:
    if state["about_conversation"]:
        return {}
    earlier = await recall(context, state)
    if earlier.payload is not None:
        found = recalled(earlier.payload)
        await context.emit("hits", {"hits": found["hits"]})
        await speaking(context).emit("token", {"text": found["answer"]})
        return found
    ranking, vector = await retrieve_many(
        context, state["standalone_question"], state.get("collections"), vector=earlier.vector
    )
    await context.emit("hits", {"hits": ranking.hits})
    return {"hits": ranking.hits, "question_vector": vector, "slot": None if ranking.by_words else earlier.slot}


async def _answer(state: TurnState, context: TurnContext) -> TurnState:
    """The answer, verified if a generator wrote it."""
    if state.get("recalled"):
        return {}
    context = speaking(context)
    question, hits = state["standalone_question"], state["hits"]
    if state["about_conversation"]:
        draft = answering.Draft(recount(state["history"]), False)
        await context.emit("token", {"text": draft.text})
    elif context.services.generator:
        draft = await answering.generate(context, question, hits, state["history"])
    else:
        draft = await answering.quote_or_abstain(context.services, question, state["question_vector"], hits)
        await context.emit("token", {"text": draft.text})
    context.services.spent(context.principal, draft.usage)
    return {
        "answer": draft.text,
        "abstained": draft.abstained,
        "statements": draft.statements,
        "unsupported": draft.unsupported,
        "usage": _total(state.get("usage", Usage()), draft.usage),
    }


async def _cite(state: TurnState, context: TurnContext) -> TurnState:
    if state.get("recalled"):
        return {}
    keep = context.history is None  # where the caller keeps the conversation, nothing of it lasts here
    return {"citations": await cite(context.services.store, context.principal, state["statements"], keep=keep)}


async def _remember(state: TurnState, context: TurnContext) -> TurnState:
    answer, citations, unsupported = await guard_out(
        context, state["question"], state["answer"], state["citations"], state["unsupported"]
    )
    shown: TurnState = {"answer": answer, "citations": citations, "unsupported": unsupported}
    if context.history is not None:
        return {"number": len(context.history) + 1, **shown}
    turn = Turn(
        number=0,
        message_id=state["message_id"],
        question=state["question"],
        answer=answer,
        abstained=state["abstained"],
        citations=tuple(citations),
        standalone_question=state["standalone_question"],
        unsupported=tuple(unsupported),
        parent=state["parent"],
        stopped=bool(context.stop and context.stop.stopped),
        trace=trace(context.services, state),
    )
    if not turn.stopped:
        await keep(context, cast(TurnState, {**state, **shown}))
    kept = await context.services.memory.append(context.principal, state["conversation_id"], turn, begun=state["begun"])
    # Somebody may have answered the same message meanwhile: what is remembered is what is told.
    return {
        "number": kept.number, "answer": kept.answer, "abstained": kept.abstained, "citations": kept.citations,
        "unsupported": kept.unsupported,
    }  # fmt: skip


STORY: Sequence[Step] = (_rewrite, _retrieve, _answer, _cite, _remember)


async def _turn(state: TurnState, runtime: Runtime[TurnContext]) -> TurnState:
    known: dict[str, Any] = {**state}
    for step in STORY:
        known |= await step(cast(TurnState, known), runtime.context)
    return cast(TurnState, known)


@lru_cache(maxsize=1)
def turn_graph() -> Any:
    """The compiled graph. A plain turn writes no checkpoint; its only trace is the row that `remember` writes."""
    return entrypoint(context_schema=TurnContext)(_turn)


def _total(first: Usage, second: Usage) -> Usage:
    return Usage(
        second.model or first.model,
        first.prompt_tokens + second.prompt_tokens,
        first.completion_tokens + second.completion_tokens,
        second.cut,
    )
