"""The least that a chat turn can be: a hand-written handler with one embedding call, one vector query, one model call, one insert.

`python -m bench.chat` runs it beside ours: python -m bench.floor PORT DATABASE MODEL_SERVER FOLDER DIMENSION SENTENCES
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from aiohttp import ClientSession, TCPConnector
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel

from anchorage.testing.hashing import hash_texts


class Request(BaseModel):
    message: str
    conversation_id: str


async def _prepare(url: str, folder: Path, dimension: int, passage: int) -> None:
    """The passages in a table of its own: pieces of so many sentences, or whole texts."""
    connection = await AsyncConnection.connect(url, autocommit=True)
    async with connection:
        await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        await connection.execute("DROP TABLE IF EXISTS floor_passages, floor_turns")
        await connection.execute(f"CREATE TABLE floor_passages (id serial, body text, embedding halfvec({dimension}))")
        await connection.execute(
            "CREATE TABLE floor_turns (id bigserial PRIMARY KEY, conversation text, question text, answer text)"
        )
        for path in sorted(folder.iterdir()):
            sentences = path.read_text("utf-8").split(". ")
            size = passage or len(sentences)
            bodies = [". ".join(sentences[at : at + size]) for at in range(0, len(sentences), size)]
            rows = zip(bodies, hash_texts(bodies, dimension), strict=True)
            async with connection.cursor() as cursor:
                await cursor.executemany(
                    "INSERT INTO floor_passages (body, embedding) VALUES (%s, %s::halfvec)",
                    [(body, str(vector.tolist())) for body, vector in rows],
                )
        await connection.execute("CREATE INDEX ON floor_passages USING hnsw (embedding halfvec_cosine_ops)")


def app(url: str, server: str, dimension: int) -> FastAPI:
    client: ClientSession
    pool = AsyncConnectionPool(url, min_size=10, max_size=10, open=False, kwargs={"autocommit": True})

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        nonlocal client
        async with pool, ClientSession(connector=TCPConnector(limit=100)) as client:
            yield

    handler = FastAPI(lifespan=lifespan)

    async def found(message: str) -> list[dict[str, str]]:
        async with client.post(
            f"{server}/embeddings", json={"model": "e", "input": message, "dimensions": dimension}
        ) as embedded:
            vector = str((await embedded.json())["data"][0]["embedding"])
        async with pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT body FROM floor_passages ORDER BY embedding <=> %s::halfvec LIMIT 6", (vector,), prepare=True
            )
            passages = "\n".join(
                f'<passage number="{n}">\n{row[0]}\n</passage>' for n, row in enumerate(await cursor.fetchall(), 1)
            )
        return [
            {"role": "system", "content": "Answer from the passages."},
            {"role": "user", "content": f"{passages}\n\nQuestion: {message}"},
        ]

    async def keep(request: Request, answer: str) -> None:
        async with pool.connection() as connection:
            await connection.execute(
                "INSERT INTO floor_turns (conversation, question, answer) VALUES (%s, %s, %s)",
                (request.conversation_id, request.message, answer),
                prepare=True,
            )

    @handler.post("/chat")
    async def chat(request: Request) -> dict[str, str]:
        asked = {"model": "m", "messages": await found(request.message)}
        async with client.post(f"{server}/chat/completions", json=asked) as completed:
            answer = (await completed.json())["choices"][0]["message"]["content"]
        await keep(request, answer)
        return {"answer": answer}

    @handler.post("/stream")
    async def stream(request: Request) -> StreamingResponse:
        asked = {"model": "m", "messages": await found(request.message), "stream": True}

        async def events() -> AsyncIterator[str]:
            answer = ""
            async with client.post(f"{server}/chat/completions", json=asked) as response:
                async for line in response.content:
                    if line.startswith(b"data: {"):
                        piece = json.loads(line[6:])["choices"][0]["delta"].get("content") or ""
                        answer += piece
                        yield f"data: {json.dumps({'token': piece})}\n\n"
            await keep(request, answer)
            yield "data: [DONE]\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    return handler


def main() -> None:
    import asyncio

    port, url, server, folder, dimension, passage = sys.argv[1:]
    asyncio.run(_prepare(url, Path(folder), int(dimension), int(passage)))
    uvicorn.run(
        app(url, server, int(dimension)), host="127.0.0.1", port=int(port), access_log=False, log_level="warning"
    )


if __name__ == "__main__":
    main()
