"""How the model server of the tests behaves: what it answers, how fast, and how it fails."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args

from anchorage.testing.citing import MARKERS, Markers, write_cited_answer

HEADER = "x-behaviour"
Messages = Sequence[Mapping[str, Any]]
Fault = Literal["", "cut", "hang", "html", "nonsense"]

_NUMBERED = re.compile(r"""^[ \t]*(?:\[(?:\w+ )?1\]|1[.):]|<\w+[^>]*=["']1["'][^>]*>|\w+ 1:)[ \t]*""", re.MULTILINE)
_NEXT = re.compile(r"""^[ \t]*(?:\[(?:\w+ )?2\]|2[.):]|<\w+[^>]*=["']2["'][^>]*>|\w+ 2:|</)""", re.MULTILINE)
_SENTENCE = re.compile(r"[^\n]*?[.!?](?=\s|$)")


def quote_first_passage(messages: Messages) -> str:
    """The first sentence of the passage that the prompt numbers 1, with the marker [1]."""
    prompt = "\n".join(str(message.get("content") or "") for message in messages)
    found = _NUMBERED.search(prompt)
    if found is None:
        return "There is no passage in this prompt."
    rest = prompt[found.end() :]
    following = _NEXT.search(rest)
    passage = rest[: following.start()] if following else rest.partition("\n\n")[0]
    # A line without a full stop is a title, not a sentence.
    sentence = _SENTENCE.search(passage)
    text = sentence.group() if sentence else passage
    return f"{' '.join(text.split())} [1]"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One way to answer a request. As text (header `x-behaviour`, or after `@` in the model's name): `status=429,pieces=3`."""

    answer: str | Callable[[Messages], str] = quote_first_passage
    markers: Markers = ""
    """Where set, the answer is made of the prompt's passages, with markers that are right, wrong, missing, swapped or mixed."""
    status: int = 200
    """Another than 200 is answered with an error in OpenAI's shape."""
    message: str = ""
    """Of the error."""
    retry_after: str = ""
    """The header `Retry-After` of an error."""
    first_delay: float = 0.0
    """Seconds before the first piece."""
    token_delay: float = 0.0
    """Seconds between two pieces."""
    fault: Fault = ""
    """`cut` and `hang` strike after `pieces` pieces; `html` and `nonsense` replace the body."""
    pieces: int = 0
    refuse: str = ""
    """Parameters that are answered with 400, separated by spaces."""
    stream: bool = True
    """Whether it streams when asked to."""
    usage: bool = True
    """Whether it counts tokens."""
    finish: str = "stop"
    dimension: int = 0
    """Length of the vectors; 0: what the request or the server says."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further headers of the answer, such as a provider's rate limits."""
    unsafe: str = ""
    """Text that moderation flags."""
    error_event: str = ""
    """An error sent as an event of the stream, after `pieces` pieces."""

    def apply_changes(self, text: str) -> Behaviour:
        """The same behaviour, changed by `name=value` pairs separated by commas. Raises `ValueError`."""
        types = {item.name: str(item.type) for item in fields(self)}
        changes: dict[str, Any] = {}
        for pair in filter(None, (part.strip() for part in text.split(","))):
            name, _, value = pair.partition("=")
            if name not in types:
                raise ValueError(f"the model server of the tests knows no behaviour {name!r}; it knows {sorted(types)}")
            kind = types[name]
            if kind == "bool":
                changes[name] = value.lower() in ("1", "true", "yes")
            elif kind in ("int", "float"):
                changes[name] = int(value) if kind == "int" else float(value)
            else:
                changes[name] = value
        if changes.get("fault", "") not in get_args(Fault):
            raise ValueError(
                f"the model server of the tests knows no fault {changes['fault']!r}; it knows {get_args(Fault)}"
            )
        if changes.get("markers", "") not in MARKERS:
            raise ValueError(
                f"the model server of the tests knows no markers {changes['markers']!r}; it knows {MARKERS}"
            )
        return replace(self, **changes)

    def write_answer(self, messages: Messages) -> str:
        """The answer to these messages."""
        if self.markers:
            return write_cited_answer(messages, self.markers).text
        return self.answer if isinstance(self.answer, str) else self.answer(messages)
