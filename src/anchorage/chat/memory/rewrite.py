"""rewrite: rewrites a question so that it can be understood without its conversation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files

from anchorage.chat.generation.completion import generate_text
from anchorage.chat.generation.prompt import escape_for_prompt
from anchorage.chat.generation.stop import Stop, make_stoppable
from anchorage.chat.generation.usage import UsageRecorder
from anchorage.chat.state import TurnContext, TurnState
from anchorage.errors import AnchorageError
from anchorage.model import Message, Turn, Usage
from anchorage.ports.llm import Generator
from anchorage.telemetry import record_degradation

_OPENING = re.compile(
    r"^\s*(?:and|but|so|then|also|why|how so|what about|how about|what else|anything else|who else|where else|tell me more|"
    r"more|continue|go on|explain|elaborate)\b",
    re.IGNORECASE,
)
_POINTING = re.compile(
    r"\b(?:he|she|it|they|him|her|them|his|hers|its|their|theirs|this|that|these|those|the (?:former|latter|same|first|"
    r"second|last) (?:one)?)\b",
    re.IGNORECASE,
)
_EXPLETIVE = re.compile(
    r"\b(?:is|was|does|did|has|will|would|can)\s+it\s+(?:true|possible|necessary|that)\b|\bthat\s+\w+", re.I
)
_NAME = re.compile(r"(?:[A-Z][\w'’-]*|\d{4})(?:\s+(?:of\s+|the\s+|de\s+|von\s+|van\s+)?(?:[A-Z][\w'’-]*|\d+))*")
_QUESTION_OPENER = re.compile(
    r"^(?:who|whom|whose|what|which|when|where|why|how|is|are|was|were|do|does|did|can|could|should|would|will|has|have|"
    r"in|on|at|of|the|a|an|and|but|so|tell|explain|list|name|give|show|i|please)$",
    re.IGNORECASE,
)
_STOP = frozenset(
    "who whom whose what which when where why how is are was were do does did can could should would will has have had in on at "
    "of the a an and but so to for from by with about it he she they him her them his its their this that these those there "
    "tell me explain list name give show please i you we my your our much many not be been than then as".split()
)
# Documents may be about conversations and questions too. If the question names another conversation than this one, it is for the documents.
_SO_FAR = r"(?:so far|until now|up to now|already|before|earlier|just now|today|here|yet|in (?:this|our) (?:conversation|chat))"
_END = r"\s*[?.!]*\s*$"
_NOT_THIS = r"(?!\s+(?:of|on|between|from|in|at|by|for|with(?! you)|to(?! you))\b)"
_MINE = rf"my (?:(?:very )?(?:first|last|second|previous|earlier|other|past) )?(?:questions?|messages?)\b{_NOT_THIS}"
_ABOUT_CONVERSATION = re.compile(
    rf"\bwhat (?:have|did|was|were) i (?:just |already )?ask(?:ed|ing)?(?:\s+(?:you|about|{_SO_FAR})\b.*)?{_END}|"
    rf"\bwhat (?:have|did|were) (?:i|we) (?:just |already |been )*(?:said|say|talk(?:ed|ing)?|discuss(?:ed|ing)?|cover(?:ed|ing)?)"
    rf"(?: about)?(?:\s+(?:with you|{_SO_FAR}))*{_END}|"
    rf"\b(?:what|which) (?:was|were|is|are) {_MINE}|\bquestions (?:have|did) (?:i|we) (?:just |already )?ask(?:ed)?"
    rf"(?:\s+(?:you|about|{_SO_FAR})\b.*)?{_END}|"
    rf"\b(?:list|repeat|show|recap|summari[sz]e|recall|remember|tell me|remind me of)\b (?:me )?(?:all )?(?:of )?"
    rf"(?:{_MINE}|(?:this|our) (?:whole |entire )?(?:conversation|chat|discussion)\b{_NOT_THIS}|"
    rf"the (?:whole |entire )?(?:conversation|chat|discussion)(?:\s+{_SO_FAR})*{_END})",
    re.IGNORECASE,
)
_MAX_ADDED = 12
_QUOTE = 300
_MAX_TOKENS = 200


def is_about_conversation(question: str) -> bool:
    """Whether the question is about the conversation itself ("what have I asked so far?")."""
    return bool(_ABOUT_CONVERSATION.search(question))


def needs_history(question: str) -> bool:
    """Whether the question depends on earlier turns: it opens with a word such as "and", has a pronoun, or has almost no content."""
    return bool(_OPENING.search(question) or _points(question) or len(_find_content_words(question)) < 2)


def _points(question: str) -> bool:
    return bool(_POINTING.search(_EXPLETIVE.sub(" ", question)))


def carry_over_words(question: str, history: Sequence[Turn]) -> str:
    """Append to a question the words that it leaves out: names and words of the last question, and where the question points at
    something ("it", "he"), names from the answer.

    A heuristic for use without a model: retrieval needs the words, not the grammar.
    """
    if not history or not needs_history(question):
        return question
    last = history[-1]
    earlier = last.standalone_question or last.question
    have = set(_find_content_words(question))
    added: list[str] = []
    names = _find_names(earlier)
    # What was asked about them before is another question, unless this one says nothing of its own ("and where?").
    said = [] if names and have else _find_content_words(earlier)
    answered = _find_names(_find_first_quote(last)) if _points(question) else []
    for text in (names, said, answered):
        for word in text:
            if word.lower() not in have and len(added) < _MAX_ADDED:
                have.add(word.lower())
                added.append(word)
    return f"{question.rstrip()} ({' '.join(added)})" if added else question


def _find_content_words(text: str) -> list[str]:
    return [word for word in re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text.lower()) if word not in _STOP]


def _find_names(text: str) -> list[str]:
    """Return capitalised names, without a question word at the start."""
    found = []
    for match in _NAME.finditer(text):
        words = match.group().split()
        while words and _QUESTION_OPENER.match(words[0]):
            words = words[1:]
        found.extend(words)
    return found


def _find_first_quote(turn: Turn) -> str:
    """Return the first quote of an answer, or its own first words where the caller keeps the history and there are no citations."""
    if turn.abstained:
        return ""
    return turn.citations[0].quote if turn.citations else turn.answer[:_QUOTE]


class Rewriter:
    """The step that makes a question stand alone: by the generator where there is one, else by `carry_over_words`."""

    def __init__(self, generator: Generator | None, usage: UsageRecorder, question_limit: int) -> None:
        self._generator, self._usage, self._question_limit = generator, usage, question_limit

    async def rewrite_question(self, state: TurnState, context: TurnContext) -> TurnState:
        """Rewrite the question, on the principal's account."""
        question = state["question"]
        text, usage = await self.rewrite(question, state["history"], context.stop)
        self._usage.record_usage(context.principal, usage)
        return {"standalone_question": text, "usage": usage}

    async def rewrite(self, question: str, history: Sequence[Turn], stop: Stop | None = None) -> tuple[str, Usage]:
        """Return the stand-alone form of a question, and its usage."""
        if not history or not needs_history(question):
            return question, Usage()
        carried = carry_over_words(question, history)
        if self._generator is None:
            return carried, Usage()
        system = files("anchorage.chat.generation.prompts").joinpath("rewrite.md").read_text("utf-8")
        thread = "\n".join(
            f"User: {escape_for_prompt(turn.question)}\nAssistant: {escape_for_prompt(turn.answer)}" for turn in history
        )
        messages = [
            Message("system", system),
            Message("user", f"{thread}\n\nQuestion to rewrite: {escape_for_prompt(question)}"),
        ]
        try:
            text, usage = await generate_text(make_stoppable(self._generator, stop), messages, max_tokens=_MAX_TOKENS)
        except AnchorageError as error:
            record_degradation("rewrite_without_model", error.message)
            return carried, Usage()
        line = " ".join(text.split())
        return (line if 0 < len(line) <= self._question_limit else carried), usage
