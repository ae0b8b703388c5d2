"""completion: a short text of the generator, whole, for steps that show nothing while it is written."""

from __future__ import annotations

from collections.abc import Sequence

from anchorage.model import Message, Usage
from anchorage.ports.llm import Generator


async def generate_text(generator: Generator, messages: Sequence[Message], *, max_tokens: int) -> tuple[str, Usage]:
    """The generator's text and what it cost. Raises what the generator raises."""
    text, usage = "", Usage()
    async for piece in generator.stream(messages, max_tokens=max_tokens):
        if isinstance(piece, Usage):
            usage = piece
        else:
            text += piece
    return text, usage
