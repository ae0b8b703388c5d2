"""A turn of a conversation: question -> guard -> rewrite -> retrieve (and rerank) -> answer (and verify) -> cite -> guard -> remember.

`FINDING` and `TELLING` are that line. Each step takes the state and gives what it adds to it. What is done to find the passages is one
LangGraph entrypoint: as nodes of their own its steps would each cost a quarter of a millisecond, more than most of them do. It has
ended when the answer begins, since a model may write for minutes, and a graph that is under way takes 30 KB.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from anchorage.chat import answer as answering
from anchorage.chat.cite import cite
from anchorage.chat.memory.cache import keep, recall, recalled
from anchorage.chat.memory.remember import recount
from anchorage.chat.memory.rewrite import is_about_conversation, rewrite
from anchorage.chat.memory.trace import trace
from anchorage.chat.retrieval.multi_query import retrieve_many
from anchorage.chat.retrieval.packing import PackableHits
from anchorage.chat.safety.guard import guard_history, guard_in, guard_out, speaking
from anchorage.chat.state import TurnContext, TurnState
from anchorage.model import Turn, Usage

if TYPE_CHECKING:
    from langgraph.runtime import Runtime

Step = Callable[[TurnState, TurnContext], Awaitable[TurnState]]


async def _rewrite(state: TurnState, context: TurnContext) -> TurnState:
    asked = await guard_in(context.services, context.principal, state["question"])
    if is_about_conversation(asked):
        return {"question": asked, "about_conversation": True, "standalone_question": asked, "hits": PackableHits()}
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
    return {
        "hits": PackableHits(ranking.hits),
        "question_vector": vector,
        "slot": None if ranking.by_words else earlier.slot,
    }


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
    kept = await context.services.memory.append(context.principal, state["conversation_id"], turn, begun=state["begun"])
    if not turn.stopped:
        await keep(context, cast(TurnState, {**state, **shown}))
    # Somebody may have answered the same message meanwhile: what is remembered is what is told.
    return {
        "number": kept.number, "answer": kept.answer, "abstained": kept.abstained, "citations": kept.citations,
        "unsupported": kept.unsupported,
    }  # fmt: skip


FINDING: Sequence[Step] = (_rewrite, _retrieve)
TELLING: Sequence[Step] = (_answer, _cite, _remember)
_graph: Any = None


async def take_turn(state: TurnState, context: TurnContext) -> TurnState:
    """The whole of a turn. A plain turn writes no checkpoint; its only trace is the row that `remember` writes."""
    graph = _graph or await warm_up()
    found = await graph.ainvoke(state, context=context)
    return await _walk(TELLING, found, context)


async def _walk(steps: Sequence[Step], state: TurnState, context: TurnContext) -> TurnState:
    known: dict[str, Any] = {**state}
    for step in steps:
        known |= await step(cast(TurnState, known), context)
    return cast(TurnState, known)


async def warm_up() -> Any:
    """The compiled graph. LangGraph takes a second to import: the first turn asks for it, or who has time before that."""
    global _graph
    _graph = await asyncio.to_thread(_compiled)
    return _graph


def _compiled() -> Any:
    from langchain_core.runnables.config import var_child_runnable_config
    from langgraph.func import entrypoint

    async def find(state: TurnState, runtime: Runtime[TurnContext]) -> TurnState:
        # The connections that are opened in here keep the context that they were opened in: not the whole run with it.
        var_child_runnable_config.set(None)
        return await _walk(FINDING, state, runtime.context)

    return entrypoint(context_schema=TurnContext)(find)


def _total(first: Usage, second: Usage) -> Usage:
    return Usage(
        second.model or first.model,
        first.prompt_tokens + second.prompt_tokens,
        first.completion_tokens + second.completion_tokens,
        second.cut,
    )
