"""The prompt of an answer. Passages are data between delimiters that their text can neither close nor forge."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.resources import files

from anchorage.chat.state import ABSTENTION
from anchorage.chat.verification.markers import extract_markers, neutralise_markers
from anchorage.model import Hit, Message, Turn
from anchorage.text.hidden import strip_hidden_characters

_MAX_TITLE = 200
_ROLES = "system|user|assistant|human|developer|tool|model|question"
# Searched in a folded copy of the same length, so that look-alike letters do not hide anything.
_ROLE = rf"^(?P<role>[ \t>#*_-]*(?:{_ROLES})[ \t*_]*):"
_FORGED_ROLE = re.compile(_ROLE, re.IGNORECASE | re.MULTILINE)
_FORGED_SYNTAX = re.compile(
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
def read_instructions() -> str:
    """Return the system message of the generator."""
    return (
        files("anchorage.chat.generation.prompts")
        .joinpath("answer.md")
        .read_text("utf-8")
        .replace("{abstention}", ABSTENTION)
    )


def build_prompt(question: str, passages: Sequence[Hit], history: Sequence[Turn]) -> list[Message]:
    """Build the generator's messages."""
    blocks = []
    for number, hit in enumerate(passages, 1):
        page = f' page="{hit.page}"' if hit.page else ""
        title = escape_for_attribute(hit.title)
        text = escape_for_prompt(neutralise_markers(strip_hidden_characters(hit.text)))
        blocks.append(f'<passage number="{number}" title="{title}"{page}>\n{text}\n</passage>')
    messages = [Message("system", read_instructions())]
    for turn in history:
        answer = escape_for_prompt(extract_markers(turn.answer).bare)
        messages += [Message("user", escape_for_prompt(turn.question)), Message("assistant", answer)]
    return [*messages, Message("user", "\n".join(blocks) + f"\n\nQuestion: {escape_for_prompt(question)}")]


def escape_for_prompt(text: str) -> str:
    """Make foreign text safe for a prompt: no hidden characters, delimiters, role tags or chat template tokens are left."""
    text = strip_hidden_characters(text)
    folded = text if text.isascii() else text.translate(_build_folding_table())
    out, at = [], 0
    for match in _find_forged_syntax(folded):
        if match["role"] is not None:
            out += [text[at : match.end() - 1], "∶"]
        else:
            out += [text[at : match.start()], "‹" if match["open"] else "(" if match["bracket"] else "¦"]
        at = match.end()
    return "".join(out) + text[at:] if out else text


def _find_forged_syntax(folded: str) -> Iterable[re.Match[str]]:
    """Yield what `_FORGED_SYNTAX` matches. Most texts hold none of its first characters, and looking for those is far cheaper."""
    if any(character in folded for character in "<&[|"):
        return _FORGED_SYNTAX.finditer(folded)
    return _FORGED_ROLE.finditer(folded) if ":" in folded else ()


def escape_for_attribute(title: str) -> str:
    """Make a foreign title safe as the value of an attribute: one line, no quotes, no brackets."""
    line = " ".join(re.sub(r"[\"<>\[\]＂＜＞“”]", " ", strip_hidden_characters(title)).split())
    return escape_for_prompt(line[:_MAX_TITLE])


@lru_cache(maxsize=1)
def _build_folding_table() -> dict[int, str | int]:
    return {**_LOOKALIKES, **_FULLWIDTH}
