"""guard: checks questions before anything is done with them, and answers before they are kept and shown whole.

Rules first, then the guard's model where there is one. A setting says what follows from a finding: nothing, an entry in the log
and the metrics, a redacted text, or `Blocked`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

import structlog

from anchorage.chat.generation.usage import UsageRecorder
from anchorage.chat.memory.rewrite import is_about_conversation
from anchorage.chat.safety.rules import ANSWER_RULES, QUESTION_RULES, Finding, redact_findings
from anchorage.chat.state import TurnContext, TurnState
from anchorage.errors import AnchorageError, Blocked, ModelUnavailable
from anchorage.model import EmbedderSpec, Principal, Turn, Unsupported
from anchorage.ports.guard import Guard
from anchorage.telemetry import GUARD_FINDINGS, record_degradation
from anchorage.text.hidden import strip_hidden_characters

_log = structlog.get_logger(__name__)
Side = Literal["question", "answer"]
Actions = Mapping[str, str]
"""Rule (length, secrets, pii, injection, model) to off, flag, redact or block."""


@dataclass(frozen=True, slots=True)
class Guards:
    """The rules and the model, with the actions that follow from their findings."""

    question: Actions
    answer: Actions
    max_question_chars: int
    max_answer_chars: int
    hold: bool = True
    """Whether an answer that may still be changed or blocked is held until it has passed."""
    judge: Guard | None = None
    fails_open: bool = False

    @property
    def holds(self) -> bool:
        """Whether answers are sent only after they have passed."""
        # A rule against very long answers is no reason to hold every answer.
        passive = {"length"} if self.judge else {"length", "model"}
        return self.hold and any(
            action in ("redact", "block") for name, action in self.answer.items() if name not in passive
        )


def apply_rules(text: str, side: Side, guards: Guards) -> str:
    """Return the text as the rules let it pass. Raises `Blocked`."""
    out = []
    for action, finding in _run_rules(text, side, guards):
        _act_on_finding(side, action, finding)
        if action == "redact":
            out.append(finding)
    return redact_findings(text, out) if out else text


def _run_rules(text: str, side: Side, guards: Guards) -> Iterator[tuple[str, Finding]]:
    """Yield what the rules find, each with its action."""
    actions, limit = (
        (guards.question, guards.max_question_chars) if side == "question" else (guards.answer, guards.max_answer_chars)
    )
    if len(text) > limit and actions["length"] != "off":
        yield actions["length"], Finding("length", f"more than {limit} characters", 0, len(text))
    for name, rule in (QUESTION_RULES if side == "question" else ANSWER_RULES).items():
        if (action := actions[name]) != "off":
            for finding in rule(text):
                yield action, finding


def _act_on_finding(side: Side, action: str, finding: Finding) -> None:
    GUARD_FINDINGS.labels(side, finding.rule, action).inc()
    _log.info("guard_finding", side=side, rule=finding.rule, what=finding.what, action=action)  # never the text itself
    if action == "block":
        raise _build_blocked_error(side, finding.rule, finding.what)


def _build_blocked_error(side: Side, rule: str, what: str) -> Blocked:
    setting = f"ANCHORAGE_GUARD__{side.upper()}_{rule.upper()}"
    if side == "question":
        message = f"This question was not taken: the rule `{rule}` found {what}. Ask in other words"
    else:
        message = f"The answer was held back: the rule `{rule}` found {what}. Ask in other words"
    return Blocked(rule, f"{message}; whoever runs this server decides with {setting} what is let through.")


class TurnGuard:
    """Guards the questions and answers of turns. Without `guards` everything passes. `embedder` is the one that searches use."""

    def __init__(self, guards: Guards | None, usage: UsageRecorder, embedder: EmbedderSpec) -> None:
        self._guards, self._usage, self._embedder = guards, usage, embedder

    @property
    def holds_text(self) -> bool:
        """Whether answers are shown only after they have passed."""
        return self._guards is not None and self._guards.holds

    async def guard_question(self, state: TurnState, context: TurnContext) -> TurnState:
        """Guard the question, and the turns that a caller sends. Raises `Blocked`."""
        question = state["question"]
        if self._guards is not None:
            question = apply_rules(question, "question", self._guards)
            await self._ask_judge(context.principal, self._guards, "question", question, None)
        if is_about_conversation(question):
            return {"question": question}
        history = await self._guard_history(context, question, state["history"])
        return {"question": question, "history": history}

    async def guard_answer(self, state: TurnState, context: TurnContext) -> TurnState:
        """Guard the answer, the claims of its citations and its unsupported sentences. An answer that was held is sent now.

        Quotes stay as they are: they are the documents' own words, which the reader may read. Raises `Blocked`.
        """
        guards, answer = self._guards, state["answer"]
        if guards is None:
            return {}
        citations, unsupported = state["citations"], state["unsupported"]
        shown = apply_rules(answer, "answer", guards)
        await self._ask_judge(context.principal, guards, "answer", state["question"], shown)
        if shown != answer:
            only = {name: action if action == "redact" else "off" for name, action in guards.answer.items()}
            quiet = replace(guards, answer=only)
            citations = [replace(item, claim=apply_rules(item.claim, "answer", quiet)) for item in citations]
            unsupported = [
                _locate_sentence(shown, item, apply_rules(item.text, "answer", quiet)) for item in unsupported
            ]
        if guards.holds:
            await context.emit("token", {"text": shown})
        return {"answer": shown, "citations": citations, "unsupported": unsupported}

    async def guard_search(self, principal: Principal, question: str) -> str:
        """Guard a question that only searches. Raises `Blocked` and `BudgetExceeded`.

        No generator reads it, so that orders in it do not matter and the guard's model is not asked. The budget matters only where the
        embedder costs something.
        """
        await self._usage.check_budget(principal, self._embedder)
        if self._guards is None:
            return question
        actions = {**self._guards.question, "injection": "off"}
        return apply_rules(question, "question", replace(self._guards, question=actions))

    def guard_stored_question(self, question: str) -> str:
        """Return a question as it may be stored until it is guarded. Nothing is counted or logged: that happens when it is guarded.

        Raises `Blocked` for one that will not pass.
        """
        if self._guards is None:
            return question
        out = []
        for action, finding in _run_rules(question, "question", self._guards):
            if action == "block":
                raise _build_blocked_error("question", finding.rule, finding.what)
            if action == "redact":
                out.append(finding)
        return redact_findings(question, out) if out else question

    async def guard_sent_turns(self, history: Sequence[Turn]) -> Sequence[Turn]:
        """Return the turns that a caller sends as the rules let them pass, without those that they block."""
        if self._guards is None:
            return history
        passed = []
        for turn in history:
            await asyncio.sleep(0)  # there may be many, and this process writes other answers
            with suppress(Blocked):  # it was counted and logged
                question = apply_rules(strip_hidden_characters(turn.question), "question", self._guards)
                answer = apply_rules(strip_hidden_characters(turn.answer), "answer", self._guards)
                passed.append(replace(turn, question=question, answer=answer))
        return passed

    async def _guard_history(self, context: TurnContext, question: str, history: Sequence[Turn]) -> Sequence[Turn]:
        """Return the turns that a caller sends if the guard's model lets them pass, else none. Turns from memory were judged when asked.

        One call judges the earlier questions together with this one, because they may be unsafe only together. Turns beyond the
        length limit of a question are left out unseen. Raises `ModelUnavailable` where it fails closed.
        """
        guards = self._guards
        if context.history is None or not history or guards is None or guards.judge is None:
            return history
        if guards.question["model"] == "off":
            return history
        left, count = guards.max_question_chars, 0
        for turn in reversed(history):
            left -= len(turn.question)
            if left < 0:
                break
            count += 1
        seen = history[len(history) - count :]
        said = [turn.question for turn in seen if turn.question]
        with suppress(Blocked):  # counted, and told in the log
            if said:
                await self._ask_judge(context.principal, guards, "question", "\n\n".join([*said, question]), None)
            return seen
        return ()

    async def _ask_judge(
        self, principal: Principal, guards: Guards, side: Side, question: str, answer: str | None
    ) -> None:
        """Ask the guard's model. Raises `Blocked`, and `ModelUnavailable` where it fails closed."""
        action = (guards.question if side == "question" else guards.answer)["model"]
        if guards.judge is None or action == "off":
            return
        try:
            verdict = await guards.judge.judge(question, answer)
        except AnchorageError as error:
            if guards.fails_open:
                record_degradation("guard_open", error.message)
                return
            raise ModelUnavailable(
                f"The {side} could not be checked, so it was not let through (ANCHORAGE_GUARD__ON_FAILURE). {error.message}"
            ) from error
        self._usage.record_usage(principal, verdict.usage)
        if not verdict.safe:
            _act_on_finding(side, action, Finding("model", verdict.why or "it unsafe", 0, 0))


def _locate_sentence(answer: str, item: Unsupported, text: str) -> Unsupported:
    """Find an unsupported sentence in the changed answer. Its text is empty where it is no longer there."""
    start = answer.find(text)
    if text and start >= 0:
        return Unsupported(start, start + len(text), text)
    place = min(item.start, len(answer))
    return Unsupported(place, place, "")
