"""A turn of a conversation: question -> rewrite -> retrieve -> answer -> cite -> remember."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from anchorage.chat import answer as answering
from anchorage.chat import remember as memory
from anchorage.chat.cite import cite
from anchorage.chat.retrieve import retrieve
from anchorage.chat.rewrite import is_about_conversation, rewrite
from anchorage.chat.state import TurnContext, TurnState
from anchorage.chat.trace import trace
from anchorage.model import Turn, Usage

_Runtime = Runtime[TurnContext]


async def _rewrite(state: TurnState, runtime: _Runtime) -> TurnState:
    context = runtime.context
    about = is_about_conversation(state["question"])
    window = memory.ALL_TURNS if about else context.services.limits.history_turns
    history = await memory.recall(context, state["conversation_id"], window)
    if about:
        return {"about_conversation": True, "history": history, "standalone_question": state["question"], "hits": ()}
    question, usage = await rewrite(context, state["question"], history)
    return {"about_conversation": False, "history": history, "standalone_question": question, "usage": usage}


async def _retrieve(state: TurnState, runtime: _Runtime) -> TurnState:
    context = runtime.context
    ranking, vector = await retrieve(
        context.services, context.principal, state["standalone_question"], state.get("collections")
    )
    await context.emit("hits", {"hits": ranking.hits})
    return {"hits": ranking.hits, "question_vector": vector}


async def _answer(state: TurnState, runtime: _Runtime) -> TurnState:
    context = runtime.context
    if context.services.generator:
        draft = await answering.generate(context, state["standalone_question"], state["hits"], state["history"])
    else:
        draft = await answering.quote_or_abstain(
            context.services, state["standalone_question"], state["question_vector"], state["hits"]
        )
        await context.emit("token", {"text": draft.text})
    usage = _total(state.get("usage", Usage()), draft.usage)
    return {"answer": draft.text, "abstained": draft.abstained, "statements": draft.statements, "usage": usage}


async def _recount(state: TurnState, runtime: _Runtime) -> TurnState:
    text = memory.recount(state["history"])
    await runtime.context.emit("token", {"text": text})
    return {"answer": text, "abstained": False, "statements": (), "usage": Usage()}


async def _cite(state: TurnState, runtime: _Runtime) -> TurnState:
    context = runtime.context
    return {"citations": await cite(context.services.store, context.principal, state["statements"])}


async def _remember(state: TurnState, runtime: _Runtime) -> TurnState:
    context = runtime.context
    if context.history is not None:
        return {"number": len(context.history) + 1}
    turn = Turn(
        number=0,
        message_id=state["message_id"],
        question=state["question"],
        answer=state["answer"],
        abstained=state["abstained"],
        citations=tuple(state["citations"]),
        standalone_question=state["standalone_question"],
        trace=trace(context.services, state),
    )
    kept = await memory.remember(context.services, context.principal, state["conversation_id"], turn)
    return {"number": kept.number}


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
    graph.add_edge("retrieve", "answer")
    graph.add_edge("answer", "cite")
    graph.add_edge("recount", "cite")
    graph.add_edge("cite", "remember")
    graph.add_edge("remember", END)
    return graph.compile()
