"""What every `Generator` must do. Subclass with a fixture `generator` that answers with more than one word."""

from __future__ import annotations

from contextlib import aclosing

from anchorage.model import Message, Usage
from anchorage.ports.llm import Generator

_THREAD = (Message("system", "Be brief."), Message("user", "What is the capital of France?"))


class GeneratorConformance:
    """Text in pieces, then the usage; closing early is allowed."""

    async def test_it_streams_text_and_then_its_usage(self, generator: Generator) -> None:
        items = [item async for item in generator.stream(_THREAD)]
        assert isinstance(items[-1], Usage)
        assert all(isinstance(item, str) and item for item in items[:-1])
        assert "".join(str(item) for item in items[:-1]).strip()

    async def test_closing_it_early_ends_it(self, generator: Generator) -> None:
        async with aclosing(generator.stream(_THREAD)) as items:  # type: ignore[type-var]
            assert isinstance(await anext(items), str)

    async def test_it_can_be_pinged(self, generator: Generator) -> None:
        assert await generator.ping() == "available"
