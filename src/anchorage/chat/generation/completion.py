"""completion: lets the generator write a short text, for steps that need the whole of it."""

from __future__ import annotations

from collections.abc import Sequence

from anchorage.model import Message, Usage
from anchorage.ports.llm import Generator


async def generate_text(generator: Generator, messages: Sequence[Message], *, max_tokens: int) -> tuple[str, Usage]:
    """Return the generator's whole text and its usage. Raises what the generator raises."""
    text, usage = "", Usage()
    async for piece in generator.stream(messages, max_tokens=max_tokens):
        if isinstance(piece, Usage):
            usage = piece
        else:
            text += piece
    return text, usage
