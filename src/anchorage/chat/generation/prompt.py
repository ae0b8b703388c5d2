"""The prompt of an answer. Passages are data between delimiters that their text can neither close nor forge."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.resources import files

from anchorage.chat.state import ABSTENTION
from anchorage.chat.verification.markers import unmarked, without_markers
from anchorage.model import Hit, Message, Turn
from anchorage.text.hidden import strip_hidden_characters

_TITLE = 200
_ROLES = "system|user|assistant|human|developer|tool|model|question"
# Looked for in a folded copy of the same length, so that look-alikes of the letters do not get by.
_ROLE = rf"^(?P<role>[ \t>#*_-]*(?:{_ROLES})[ \t*_]*):"
_FORGED_ROLE = re.compile(_ROLE, re.IGNORECASE | re.MULTILINE)
_FORGED = re.compile(
    rf"(?P<open><|&lt;|&#0*60;|&#x0*3c;)(?=[\s/\\|]*(?:passages?|{_ROLES}|instructions?|rules?|context|functions?|im_|start|end|eot|sys|inst|s>|\|))"
    rf"|(?P<bracket>\[)(?=/?(?:inst|sys|{_ROLES})\b)"
    rf"|(?P<bar>\|)(?=>)"
    rf"|{_ROLE}",
    re.IGNORECASE | re.MULTILINE,
)
_LOOKALIKES = str.maketrans(
    "＜﹤＞﹥／∕⁄＼｜［］：аеорсухіјѕԁһԛӏոᴀᴇɪᴏѕᴜαερορυνικτϲ",
    "<<>>///\\|[]:aeopcyxijsdhqlnaeiosuaepopuvikt" + "c",
)
_FULLWIDTH = {code: code - 0xFEE0 for code in (*range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))}


@lru_cache(maxsize=1)
def instructions() -> str:
    """What the generator is told before anything else."""
    return (
        files("anchorage.chat.generation.prompts")
        .joinpath("answer.md")
        .read_text("utf-8")
        .replace("{abstention}", ABSTENTION)
    )


def prompt(question: str, passages: Sequence[Hit], history: Sequence[Turn]) -> list[Message]:
    """The generator's messages."""
    blocks = []
    for number, hit in enumerate(passages, 1):
        page = f' page="{hit.page}"' if hit.page else ""
        blocks.append(
            f'<passage number="{number}" title="{as_attribute(hit.title)}"{page}>\n{as_data(unmarked(strip_hidden_characters(hit.text)))}\n</passage>'
        )
    messages = [Message("system", instructions())]
    for turn in history:
        answer = as_data(without_markers(turn.answer).bare)
        messages += [Message("user", as_data(turn.question)), Message("assistant", answer)]
    return [*messages, Message("user", "\n".join(blocks) + f"\n\nQuestion: {as_data(question)}")]


def as_data(text: str) -> str:
    """A stranger's text for a prompt: without hidden characters, delimiters, role tags and the tokens of chat templates."""
    text = strip_hidden_characters(text)
    folded = text if text.isascii() else text.translate(_folding())
    out, at = [], 0
    for match in _forged(folded):
        if match["role"] is not None:
            out += [text[at : match.end() - 1], "∶"]
        else:
            out += [text[at : match.start()], "‹" if match["open"] else "(" if match["bracket"] else "¦"]
        at = match.end()
    return "".join(out) + text[at:] if out else text


def _forged(folded: str) -> Iterable[re.Match[str]]:
    """What `_FORGED` matches; most texts hold nothing that it could begin with, and looking for that costs far less."""
    if any(character in folded for character in "<&[|"):
        return _FORGED.finditer(folded)
    return _FORGED_ROLE.finditer(folded) if ":" in folded else ()


def as_attribute(title: str) -> str:
    """A stranger's title as the value of an attribute: one line, no quotes, no brackets."""
    line = " ".join(re.sub(r"[\"<>\[\]＂＜＞“”]", " ", strip_hidden_characters(title)).split())
    return as_data(line[:_TITLE])


@lru_cache(maxsize=1)
def _folding() -> dict[int, str | int]:
    return {**_LOOKALIKES, **_FULLWIDTH}
