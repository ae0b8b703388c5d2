"""writer: lets the generator write the answer from the passages."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from anchorage.chat.generation.prompt import build_prompt
from anchorage.chat.generation.stop import make_stoppable
from anchorage.chat.generation.usage import UsageRecorder, add_usage
from anchorage.chat.retrieval.packing import PackableHits
from anchorage.chat.safety.inert import MarkupNeutraliser
from anchorage.chat.safety.secrecy import begins_recital
from anchorage.chat.state import ABSTENTION, ChatLimits, TurnContext, TurnState
from anchorage.model import Turn, Usage
from anchorage.ports.llm import Generator
from anchorage.text.tokens import CHARACTERS_PER_TOKEN

_PACK_AFTER = 2.0  # seconds of writing after which the hits are packed


class Writer:
    """The author of answers where there is a generator. A later step verifies its text."""

    def __init__(self, generator: Generator, usage: UsageRecorder, limits: ChatLimits) -> None:
        self._generator, self._usage, self._limits = generator, usage, limits

    async def write_answer(self, state: TurnState, context: TurnContext) -> TurnState:
        """Write the text, or abstain where nothing was found."""
        if not state["hits"]:
            return {
                "answer": ABSTENTION,
                "abstained": True,
                "statements": (),
                "unsupported": (),
                "usage": add_usage(state["usage"], Usage()),
            }
        text, usage = await self.write_text(context, state["standalone_question"], state["hits"], state["history"])
        return {"written": text, "usage": add_usage(state["usage"], usage)}

    async def write_text(
        self, context: TurnContext, question: str, hits: PackableHits, history: Sequence[Turn]
    ) -> tuple[str, Usage]:
        """Return the generator's text and its usage, which is recorded. The text is emitted as it comes."""
        generator = make_stoppable(self._generator, context.stop)
        text, usage = "", Usage(generator.model)
        shown = MarkupNeutraliser()
        # Where unsupported sentences are withheld, nothing is shown before the end.
        aloud, reciting = self._limits.unsupported == "mark", False
        messages = build_prompt(question, hits[: self._limits.passages], history)
        read, whole = sum(len(message.content) for message in messages), False
        clock = asyncio.get_running_loop().time
        late: float | None = clock() + _PACK_AFTER
        most = min(self._limits.max_tokens, context.max_tokens or self._limits.max_tokens)
        try:
            async for piece in generator.stream(messages, max_tokens=most):
                if isinstance(piece, Usage):
                    usage, whole = piece, bool(text)  # usage before the text only names the model
                    if whole:  # now, while the generator still holds its share of the budget
                        self._usage.record_usage(context.principal, usage)
                    continue
                messages.clear()  # the generator has read it, and a slow answer need not hold it
                if late is not None and clock() > late:
                    hits.pack()
                    late = None
                text += piece
                reciting = reciting or begins_recital(text)
                safe = (piece if self._limits.links == "all" else shown.feed(piece)) if aloud and not reciting else ""
                if safe:
                    await context.emit_text(safe)
        except BaseException:  # also when cancelled: the text written so far costs something
            if text and not whole:
                self._usage.record_usage(context.principal, _estimate_usage(usage.model, read, text))
            raise
        if not whole:  # it was stopped
            usage = _estimate_usage(usage.model, read, text)
            self._usage.record_usage(context.principal, usage)
        if aloud and not reciting and (rest := shown.end()):
            await context.emit_text(rest)
        return text, usage


def _estimate_usage(model: str | None, read: int, text: str) -> Usage:
    """Estimate the usage of an answer that ended before the server reported it; `read` is in characters."""
    return Usage(model, read // CHARACTERS_PER_TOKEN + 1, len(text) // CHARACTERS_PER_TOKEN + 1)
