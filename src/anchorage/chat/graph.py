"""A turn of a conversation: question -> guard -> rewrite -> retrieve (and rerank) -> answer -> cite -> guard -> remember."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from anchorage.chat import answer as answering
from anchorage.chat import remember as memory
from anchorage.chat.cache import keep, recall, recalled
from anchorage.chat.cite import cite
from anchorage.chat.guard import guard_in, guard_out, speaking
from anchorage.chat.retrieve import retrieve
from anchorage.chat.rewrite import is_about_conversation, rewrite
from anchorage.chat.state import TurnContext, TurnState
from anchorage.chat.trace import trace
from anchorage.model import Turn, Usage

_Runtime = Runtime[TurnContext]


async def _rewrite(state: TurnState, runtime: _Runtime) -> TurnState:
    context = runtime.context
    asked = await guard_in(context.services, context.principal, state["question"])
    about = is_about_conversation(asked)
    window = memory.ALL_TURNS if about else context.services.limits.history_turns
    history = await memory.recall(context, state["conversation_id"], window)
    if about:
        return {
            "question": asked, "about_conversation": True, "history": history, "standalone_question": asked, "hits": (),
        }  # fmt: skip
    question, usage = await rewrite(context, asked, history)
    context.services.spent(context.principal, usage)
    return {
        "question": asked, "about_conversation": False, "history": history, "standalone_question": question, "usage": usage,
    }  # fmt: skip


async def _retrieve(state: TurnState, runtime: _Runtime) -> TurnState:
    context = runtime.context
    earlier = await recall(context, state)
    if earlier.payload is not None:
        found = recalled(earlier.payload)
        await context.emit("hits", {"hits": found["hits"]})
        await speaking(context).emit("token", {"text": found["answer"]})
        return found
    ranking, vector = await retrieve(
        context.services,
        context.principal,
        state["standalone_question"],
        state.get("collections"),
        vector=earlier.vector,
    )
    await context.emit("hits", {"hits": ranking.hits})
    return {"hits": ranking.hits, "question_vector": vector, "slot": earlier.slot}


async def _answer(state: TurnState, runtime: _Runtime) -> TurnState:
    context = speaking(runtime.context)
    if context.services.generator:
        draft = await answering.generate(context, state["standalone_question"], state["hits"], state["history"])
    else:
        draft = await answering.quote_or_abstain(
            context.services, state["standalone_question"], state["question_vector"], state["hits"]
        )
        await context.emit("token", {"text": draft.text})
    context.services.spent(context.principal, draft.usage)
    usage = _total(state.get("usage", Usage()), draft.usage)
    return {"answer": draft.text, "abstained": draft.abstained, "statements": draft.statements, "usage": usage}


async def _recount(state: TurnState, runtime: _Runtime) -> TurnState:
    text = memory.recount(state["history"])
    await speaking(runtime.context).emit("token", {"text": text})
    return {"answer": text, "abstained": False, "statements": (), "usage": Usage()}


async def _cite(state: TurnState, runtime: _Runtime) -> TurnState:
    context = runtime.context
    return {"citations": await cite(context.services.store, context.principal, state["statements"])}


async def _remember(state: TurnState, runtime: _Runtime) -> TurnState:
    context = runtime.context
    answer, citations = await guard_out(context, state["question"], state["answer"], state["citations"])
    if context.history is not None:
        return {"number": len(context.history) + 1, "answer": answer, "citations": citations}
    turn = Turn(
        number=0,
        message_id=state["message_id"],
        question=state["question"],
        answer=answer,
        abstained=state["abstained"],
        citations=tuple(citations),
        standalone_question=state["standalone_question"],
        trace=trace(context.services, state),
    )
    await keep(context, {**state, "answer": answer, "citations": citations})
    kept = await memory.remember(context.services, context.principal, state["conversation_id"], turn)
    return {"number": kept.number, "answer": answer, "citations": citations}


def _total(first: Usage, second: Usage) -> Usage:
    return Usage(
        second.model or first.model,
        first.prompt_tokens + second.prompt_tokens,
        first.completion_tokens + second.completion_tokens,
    )


@lru_cache(maxsize=1)
def turn_graph() -> Any:
    """The compiled graph. A plain turn writes no checkpoint; its only trace is the row that `remember` writes."""
    graph = StateGraph(TurnState, context_schema=TurnContext)
    for name, node in (
        ("rewrite", _rewrite), ("retrieve", _retrieve), ("answer", _answer), ("recount", _recount), ("cite", _cite),
        ("remember", _remember),
    ):  # fmt: skip
        graph.add_node(name, node)
    graph.add_edge(START, "rewrite")
    graph.add_conditional_edges(
        "rewrite", lambda state: "recount" if state["about_conversation"] else "retrieve", ["recount", "retrieve"]
    )
    graph.add_conditional_edges(
        "retrieve", lambda state: "remember" if state.get("recalled") else "answer", ["remember", "answer"]
    )
    graph.add_edge("answer", "cite")
    graph.add_edge("recount", "cite")
    graph.add_edge("cite", "remember")
    graph.add_edge("remember", END)
    return graph.compile()
