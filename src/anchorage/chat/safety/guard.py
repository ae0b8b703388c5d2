"""guard: checks questions before anything is done with them, and answers before they are kept and shown whole.

Rules first, then the guard's model where there is one. What each finding leads to is a setting: nothing, a word in the log and
the metrics, a text without it, or `Blocked`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import structlog

from anchorage.chat.safety.rules import ANSWER_RULES, QUESTION_RULES, Finding, redacted
from anchorage.errors import AnchorageError, Blocked, ModelUnavailable
from anchorage.model import Citation, Principal, Turn, Unsupported
from anchorage.ports.guard import Guard
from anchorage.telemetry import GUARD_FINDINGS, degraded
from anchorage.text.hidden import visible

if TYPE_CHECKING:
    from anchorage.chat.state import ChatServices, TurnContext

_log = structlog.get_logger(__name__)
Side = Literal["question", "answer"]
Actions = Mapping[str, str]
"""Rule (length, secrets, pii, injection, model) to off, flag, redact or block."""


@dataclass(frozen=True, slots=True)
class Guards:
    """The chain, with what follows from its findings."""

    question: Actions
    answer: Actions
    max_question_chars: int
    max_answer_chars: int
    hold: bool = True
    """Whether an answer that may yet be changed or blocked is kept back until it has passed."""
    judge: Guard | None = None
    fails_open: bool = False

    @property
    def holds(self) -> bool:
        """Whether answers are sent only when they have passed."""
        # An answer of many pages is no reason to hold each one.
        passive = {"length"} if self.judge else {"length", "model"}
        return self.hold and any(
            action in ("redact", "block") for name, action in self.answer.items() if name not in passive
        )


def check(text: str, side: Side, guards: Guards) -> str:
    """The text as the rules let it pass. Raises `Blocked`."""
    out = []
    for action, finding in _findings(text, side, guards):
        _act(side, action, finding)
        if action == "redact":
            out.append(finding)
    return redacted(text, out) if out else text


def as_kept(services: ChatServices, question: str) -> str:
    """A question that waits to be checked, as it may be written down meanwhile: `check` counts and tells later what this finds.

    Raises `Blocked` for one that will not pass.
    """
    if services.guards is None:
        return question
    out = []
    for action, finding in _findings(question, "question", services.guards):
        if action == "block":
            raise _blocked("question", finding.rule, finding.what)
        if action == "redact":
            out.append(finding)
    return redacted(question, out) if out else question


def _findings(text: str, side: Side, guards: Guards) -> Iterator[tuple[str, Finding]]:
    """What the rules find, with what follows from it."""
    actions, limit = (
        (guards.question, guards.max_question_chars) if side == "question" else (guards.answer, guards.max_answer_chars)
    )
    if len(text) > limit and actions["length"] != "off":
        yield actions["length"], Finding("length", f"more than {limit} characters", 0, len(text))
    for name, rule in (QUESTION_RULES if side == "question" else ANSWER_RULES).items():
        if (action := actions[name]) != "off":
            for finding in rule(text):
                yield action, finding


def _act(side: Side, action: str, finding: Finding) -> None:
    GUARD_FINDINGS.labels(side, finding.rule, action).inc()
    _log.info("guard_finding", side=side, rule=finding.rule, what=finding.what, action=action)  # never the text itself
    if action == "block":
        raise _blocked(side, finding.rule, finding.what)


def _blocked(side: Side, rule: str, what: str) -> Blocked:
    setting = f"ANCHORAGE_GUARD__{side.upper()}_{rule.upper()}"
    if side == "question":
        message = f"This question was not taken: the rule `{rule}` found {what}. Ask in other words"
    else:
        message = f"The answer was held back: the rule `{rule}` found {what}. Ask in other words"
    return Blocked(rule, f"{message}; whoever runs this server decides with {setting} what is let through.")


async def let_through(services: ChatServices, history: Sequence[Turn]) -> Sequence[Turn]:
    """Turns that a caller sends, as the rules let them pass; those that they would have blocked are left out."""
    if services.guards is None:
        return history
    kept = []
    for turn in history:
        await asyncio.sleep(0)  # there may be many, and this process writes other answers
        with suppress(Blocked):  # counted, and told in the log
            question = check(visible(turn.question), "question", services.guards)
            kept.append(replace(turn, question=question, answer=check(visible(turn.answer), "answer", services.guards)))
    return kept


async def guard_in(services: ChatServices, principal: Principal, question: str) -> str:
    """The question as it may be used and kept. Raises `Blocked`."""
    if services.guards is None:
        return question
    question = check(question, "question", services.guards)
    await _judge(services, principal, services.guards, "question", question, None)
    return question


async def guard_search(services: ChatServices, principal: Principal, question: str) -> str:
    """A question that only passages are wanted for, as it may be embedded. Raises `Blocked` and `BudgetExceeded`.

    No generator reads it, so that orders in it and what a guard's model thinks of it do not matter; nor does a budget where
    the embedder costs nothing.
    """
    if services.ledger is not None and services.pays_for(services.embedder.spec):
        await services.ledger.check(principal)
    if services.guards is None:
        return question
    return check(
        question, "question", replace(services.guards, question={**services.guards.question, "injection": "off"})
    )


async def guard_history(context: TurnContext, question: str, history: Sequence[Turn]) -> Sequence[Turn]:
    """The turns that a caller sends, as the guard's model lets them pass; those that we keep ourselves were judged when they were asked.

    One call judges what the user is said to have asked, together with the question, which may ask for what only all of it makes
    unsafe; then the question stands alone. What is older than the guard's limit of a question's length is left out unseen.
    Raises `ModelUnavailable` where it fails closed.
    """
    guards = context.services.guards
    if context.history is None or not history or guards is None or guards.judge is None:
        return history
    if guards.question["model"] == "off":
        return history
    left, kept = guards.max_question_chars, 0
    for turn in reversed(history):
        left -= len(turn.question)
        if left < 0:
            break
        kept += 1
    seen = history[len(history) - kept :]
    said = [turn.question for turn in seen if turn.question]
    with suppress(Blocked):  # counted, and told in the log
        if said:
            await _judge(context.services, context.principal, guards, "question", "\n\n".join([*said, question]), None)
        return seen
    return ()


async def guard_out(
    context: TurnContext, question: str, answer: str, citations: Sequence[Citation], unsupported: Sequence[Unsupported]
) -> tuple[str, Sequence[Citation], Sequence[Unsupported]]:
    """The answer, its citations' claims and what is unsupported as they may be shown; the answer is sent now if it was held.

    Raises `Blocked`.

    Quotes stay: they are the documents' own words, which the reader may read there.
    """
    guards = context.services.guards
    if guards is None:
        return answer, citations, unsupported
    shown = check(answer, "answer", guards)
    await _judge(context.services, context.principal, guards, "answer", question, shown)
    if shown != answer:
        only = {name: action if action == "redact" else "off" for name, action in guards.answer.items()}
        quiet = replace(guards, answer=only)
        citations = [replace(item, claim=check(item.claim, "answer", quiet)) for item in citations]
        unsupported = [_found_again(shown, item, check(item.text, "answer", quiet)) for item in unsupported]
    if guards.holds:
        await context.emit("token", {"text": shown})
    return shown, citations, unsupported


def _found_again(answer: str, item: Unsupported, text: str) -> Unsupported:
    """An unsupported sentence in the answer that was changed: where its text stands now, or without a text where it is gone."""
    start = answer.find(text)
    if text and start >= 0:
        return Unsupported(start, start + len(text), text)
    place = min(item.start, len(answer))
    return Unsupported(place, place, "")


async def _judge(
    services: ChatServices, principal: Principal, guards: Guards, side: Side, question: str, answer: str | None
) -> None:
    """Ask the guard's model. Raises `Blocked`, and `ModelUnavailable` where it fails closed."""
    action = (guards.question if side == "question" else guards.answer)["model"]
    if guards.judge is None or action == "off":
        return
    try:
        verdict = await guards.judge.judge(question, answer)
    except AnchorageError as error:
        if guards.fails_open:
            degraded("guard_open", error.message)
            return
        raise ModelUnavailable(
            f"The {side} could not be checked, so it was not let through (ANCHORAGE_GUARD__ON_FAILURE). {error.message}"
        ) from error
    services.spent(principal, verdict.usage)
    if not verdict.safe:
        _act(side, action, Finding("model", verdict.why or "it unsafe", 0, 0))


def speaking(context: TurnContext) -> TurnContext:
    """The context in which an answer is written: one that lets no piece of it out where answers are held."""
    if context.services.guards is None or not context.services.guards.holds:
        return context
    emit = context.emit

    async def held(kind: str, data: dict[str, Any]) -> None:
        if kind != "token":
            await emit(kind, data)

    return replace(context, emit=held)
