"""The chat backend of the common tutorials: FastAPI, LangGraph with its Postgres checkpointer, langchain-openai, langchain-postgres.

`python -m bench.chat tutorial` runs it beside ours, in an environment of its own (it shares no library with the package):
tutorial.py PORT DATABASE MODEL_SERVER FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from langchain_core.documents import Document
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from langchain_postgres import PGVector
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.graph import END, START, MessagesState, StateGraph
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool
from pydantic import BaseModel

_SENTENCES = 6
_PASSAGES = 6


class Request(BaseModel):
    message: str
    conversation_id: str


class State(MessagesState):
    context: list[Document]


def documents(folder: Path) -> list[Document]:
    found = []
    for path in sorted(folder.iterdir()):
        sentences = path.read_text("utf-8").split(". ")
        found += [
            Document(". ".join(sentences[at : at + _SENTENCES]), metadata={"source": path.name})
            for at in range(0, len(sentences), _SENTENCES)
        ]
    return found


def app(url: str, server: str, folder: Path) -> FastAPI:
    model = ChatOpenAI(model="m", base_url=server, api_key="none")  # type: ignore[arg-type]
    embeddings = OpenAIEmbeddings(model="e", base_url=server, api_key="none", check_embedding_ctx_length=False)  # type: ignore[arg-type]
    store = PGVector(
        embeddings, connection=url.replace("postgresql://", "postgresql+psycopg://", 1), collection_name="tutorial"
    )
    store.add_documents(documents(folder))
    pool: Any = ConnectionPool(
        url, min_size=10, max_size=10, kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    )
    saver = PostgresSaver(pool)
    saver.setup()

    def retrieve(state: State) -> dict[str, Any]:
        return {"context": store.similarity_search(str(state["messages"][-1].content), k=_PASSAGES)}

    def generate(state: State) -> dict[str, Any]:
        passages = "\n\n".join(item.page_content for item in state["context"])
        answer = model.invoke([("system", f"Answer from the context.\n\n{passages}"), *state["messages"]])
        return {"messages": [answer]}

    graph = StateGraph(State)
    graph.add_sequence([retrieve, generate])
    graph.add_edge(START, "retrieve")
    graph.add_edge("generate", END)
    compiled = graph.compile(checkpointer=saver)
    handler = FastAPI()

    @handler.post("/chat")
    def chat(request: Request) -> dict[str, Any]:
        found = compiled.invoke(
            {"messages": [("user", request.message)]}, {"configurable": {"thread_id": request.conversation_id}}
        )
        return {"answer": found["messages"][-1].content}

    return handler


if __name__ == "__main__":
    port, url, server, folder = sys.argv[1:]
    uvicorn.run(app(url, server, Path(folder)), host="127.0.0.1", port=int(port), access_log=False, log_level="warning")
