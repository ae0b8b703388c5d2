"""history: the turns that a question is read against, within a budget, and the running summary of older turns."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib.resources import files

import structlog

from anchorage.chat.generation.completion import generate_text
from anchorage.chat.generation.prompt import escape_for_prompt
from anchorage.chat.generation.usage import UsageRecorder
from anchorage.chat.memory.rewrite import is_about_conversation
from anchorage.chat.state import ChatLimits
from anchorage.errors import AnchorageError
from anchorage.model import Message, Principal, Turn, Usage
from anchorage.ports.llm import Generator
from anchorage.ports.memory import Memory, Summary, Thread
from anchorage.telemetry import record_degradation
from anchorage.text.tokens import CHARACTERS_PER_TOKEN

_log = structlog.get_logger(__name__)
_SUMMARY_TOKENS = 300
_TURN_CHARACTERS = 4000  # of one turn go into the summary
_SUMMARY_QUESTION = "What have we talked about before this?"


def turns_to_read(turns: int) -> int:
    """Return how many turns to read so that they reach back to the last summary, even if one summary failed."""
    return 2 * turns


def estimate_tokens(turn: Turn) -> int:
    """Estimate how many tokens a turn takes."""
    return (len(turn.question) + len(turn.answer)) // CHARACTERS_PER_TOKEN + 1


def take_last_turns(turns: Sequence[Turn], count: int, budget: int) -> Sequence[Turn]:
    """Return the last turns within both bounds. The very last one is taken in any case, unless `count` is 0."""
    taken, left = 0, budget
    for turn in reversed(turns[max(0, len(turns) - count) :]):
        left -= estimate_tokens(turn)
        if left < 0 and taken:
            break
        taken += 1
    return turns[len(turns) - taken :]


def context_window(thread: Thread, question: str, limits: ChatLimits) -> Sequence[Turn]:
    """Return the turns that a question is read against, oldest first.

    A summary of the turns before them comes first, as a turn of its own. A question about the conversation itself is read
    against all turns.
    """
    if is_about_conversation(question):
        return thread.history
    window = take_last_turns(thread.history, limits.history_turns, limits.history_tokens)
    if thread.summary is None or not window or len(window) == thread.turns:
        return window
    # Leave out the turns that the summary covers.
    window = [turn for turn in window if turn.number > thread.summary.number] or window
    return [Turn(0, "", _SUMMARY_QUESTION, thread.summary.text), *window]


class Summaries:
    """Keeps running summaries of long threads, in the background after a turn."""

    def __init__(self, memory: Memory, generator: Generator, usage: UsageRecorder, limits: ChatLimits) -> None:
        self._memory, self._generator, self._usage, self._limits = memory, generator, usage, limits
        self._tasks: set[asyncio.Task[None]] = set()

    def renew_if_due(self, principal: Principal, conversation_id: str, thread: Thread, new: Turn) -> None:
        """Renew the summary of the thread if the turns since the last one, with the new turn, no longer fit the window."""
        summary, limits = thread.summary, self._limits
        since = [turn for turn in thread.history if summary is None or turn.number > summary.number]
        if len(take_last_turns([*since, new], limits.history_turns, limits.history_tokens)) > len(since):
            return
        # Half of the window stays unsummarised, so that a summary is due only every few turns.
        kept = take_last_turns([*since, new], max(1, limits.history_turns // 2), limits.history_tokens // 2)
        leaving = [turn for turn in since if turn not in kept]
        if not leaving or not limits.history_turns:
            return
        task = asyncio.create_task(self._renew_summary(principal, conversation_id, summary, leaving))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _renew_summary(
        self, principal: Principal, conversation_id: str, summary: Summary | None, turns: Sequence[Turn]
    ) -> None:
        try:
            text, usage = await self._write_summary(summary.text if summary else "", turns)
            self._usage.record_usage(principal, usage)
            if text:
                last = turns[-1]
                await self._memory.summarise(principal, conversation_id, last.message_id, Summary(last.number, text))
        except AnchorageError as error:
            record_degradation("no_summary", error.message)
        except Exception:  # noqa: BLE001  nobody waits for this task
            _log.exception("summary_crashed", conversation_id=conversation_id)

    async def _write_summary(self, before: str, turns: Sequence[Turn]) -> tuple[str, Usage]:
        system = files("anchorage.chat.generation.prompts").joinpath("summary.md").read_text("utf-8")
        lines = [f"Summary so far: {_format_as_line(before)}"] if before else []
        for turn in turns:
            lines += [f"User: {_format_as_line(turn.question)}", f"Assistant: {_format_as_line(turn.answer)}"]
        messages = [Message("system", system), Message("user", "\n".join(lines))]
        text, usage = await generate_text(self._generator, messages, max_tokens=_SUMMARY_TOKENS)
        return " ".join(text.split()), usage

    async def settle(self, seconds: float) -> None:
        """Wait for running summaries, then cancel those that are not done."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _format_as_line(text: str) -> str:
    """Put a text on one line, escaped, so that no part of it passes for a line of the transcript."""
    return escape_for_prompt(" ".join(text[:_TURN_CHARACTERS].split()))
