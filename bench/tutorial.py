"""The chat backend of the common tutorials: FastAPI, LangGraph with its Postgres checkpointer, langchain-openai, langchain-postgres.

Built as the guides for Kubernetes build it, so that what is compared is what people run: one checkpointer from a connection string (one
connection, as LangGraph's documentation shows it), a chain of retriever, prompt, model and parser inside a graph of two nodes, the
conversation read back before each turn and written whole after it, and all of it called from an `async` endpoint that it blocks.
`TUTORIAL_THREADS=1` gives it the least mending: a plain endpoint, which runs in threads, and a pool of connections.

`python -m bench.chat tutorial` runs it beside ours, in an environment of its own (it shares no library with the package):
tutorial.py PORT DATABASE MODEL_SERVER FOLDER DIMENSION SENTENCES
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict

import uvicorn
from fastapi import FastAPI
from langchain_core.documents import Document
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from langchain_postgres import PGVector
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.graph import END, StateGraph
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool
from pydantic import BaseModel

_PASSAGES = 6
_RECENT = 5  # messages that a question is read against
_SYSTEM = "You are a helpful assistant. Answer from the context alone, and name the document that you have it from."


class Request(BaseModel):
    message: str
    conversation_id: str


class State(TypedDict):
    messages: list[dict[str, str]]
    question: str
    answer: str


def documents(folder: Path, passage: int) -> list[Document]:
    found = []
    for path in sorted(folder.iterdir()):
        sentences = path.read_text("utf-8").split(". ")
        size = passage or len(sentences)
        found += [
            Document(". ".join(sentences[at : at + size]), metadata={"source": path.name})
            for at in range(0, len(sentences), size)
        ]
    return found


def _chain(url: str, server: str, folder: Path, dimension: int, passage: int) -> Any:
    model = ChatOpenAI(model="m", base_url=server, api_key="none", temperature=0.1)  # type: ignore[arg-type]
    embeddings = OpenAIEmbeddings(
        model="e", base_url=server, api_key="none", dimensions=dimension, check_embedding_ctx_length=False
    )  # type: ignore[arg-type]
    store = PGVector(
        embeddings, connection=url.replace("postgresql://", "postgresql+psycopg://", 1), collection_name="tutorial"
    )
    store.add_documents(documents(folder, passage))
    prompt = ChatPromptTemplate.from_messages([("system", _SYSTEM), ("human", "{context}\n\nQuestion: {question}")])

    def shown(found: list[Document]) -> str:
        return "\n\n".join(f"Source: {item.metadata['source']}\n\n{item.page_content}" for item in found)

    retriever = store.as_retriever(search_kwargs={"k": _PASSAGES})
    return {"context": retriever | shown, "question": RunnablePassthrough()} | prompt | model | StrOutputParser()


def _graph(chain: Any, saver: PostgresSaver) -> Any:
    def ask(state: State) -> dict[str, Any]:
        earlier = "\n".join(f"{item['role']}: {item['content']}" for item in state["messages"][:-1][-_RECENT:])
        asked = f"Conversation:\n{earlier}\n\nQuestion: {state['question']}" if earlier else state["question"]
        return {"answer": chain.invoke(asked)}

    def respond(state: State) -> dict[str, Any]:
        return {"messages": [*state["messages"], _message("assistant", state["answer"])]}

    workflow = StateGraph(State)
    workflow.add_node("ask", ask)
    workflow.add_node("respond", respond)
    workflow.set_entry_point("ask")
    workflow.add_edge("ask", "respond")
    workflow.add_edge("respond", END)
    return workflow.compile(checkpointer=saver)


@contextmanager
def _saver(url: str, *, pooled: bool) -> Iterator[PostgresSaver]:
    if not pooled:
        with PostgresSaver.from_conn_string(url) as saver:
            yield saver
        return
    options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    with ConnectionPool(url, min_size=10, max_size=10, kwargs=options) as pool:
        yield PostgresSaver(pool)  # type: ignore[arg-type]


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content, "timestamp": datetime.now(UTC).isoformat()}


def app(url: str, server: str, folder: Path, dimension: int, passage: int) -> FastAPI:
    graph: Any = None
    threads = os.environ.get("TUTORIAL_THREADS") == "1"
    chain = _chain(url, server, folder, dimension, passage)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        nonlocal graph
        with _saver(url, pooled=threads) as saver:
            saver.setup()
            graph = _graph(chain, saver)
            yield

    handler = FastAPI(lifespan=lifespan)

    def answer(request: Request) -> dict[str, Any]:
        config = {"configurable": {"thread_id": request.conversation_id}}
        earlier = graph.get_state(config).values.get("messages", [])
        asked = {"messages": [*earlier, _message("user", request.message)], "question": request.message, "answer": ""}
        return {"answer": graph.invoke(asked, config)["messages"][-1]["content"]}

    async def chat(request: Request) -> dict[str, Any]:
        return answer(request)

    handler.post("/chat")(answer if threads else chat)
    return handler


if __name__ == "__main__":
    port, url, server, folder, dimension, passage = sys.argv[1:]
    uvicorn.run(
        app(url, server, Path(folder), int(dimension), int(passage)),
        host="127.0.0.1",
        port=int(port),
        access_log=False,
        log_level="warning",
    )
