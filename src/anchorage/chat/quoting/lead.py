"""lead: an item of a list with what introduces it, without which it may say the opposite: "The following are not covered:"."""

from __future__ import annotations

import re

from anchorage.chat.quoting.units import MAX_UNIT_CHARS, Unit, UnitKind
from anchorage.text.sentences import find_statement_spans

_NEGATES = re.compile(
    r"\b(?:not|never|no|none|nor|neither|except\w*|exclu\w+|without|unless|cannot|\w+n['’]t|forbid\w*|prohibit\w*|avoid\w*|deprecated|removed|unsupported|"
    r"nicht|kein\w*|nie(?:mals)?|außer|ausgenommen|ausgeschlossen\w*|ohne|verboten\w*|ne|pas|jamais|aucun\w*|sauf|excepté\w*|sans|interdit\w*|"
    r"nunca|ning[uú]n\w*|excepto|salvo|sin|prohibid\w*)\b", re.IGNORECASE
)  # fmt: skip
_COLONS = (":", "：")


def tell_item(unit: Unit, start: int, end: int, *, again: bool = False) -> str:
    """The words of an item behind its lead: always where the lead negates, else where it announces the item alone, both are short, and it was
    not said `again`.

    `unit` is the item, or a list of which it is a part.
    """
    text = unit.hit.text[start:end]
    lead = _find_last_statement(unit.lead)
    if not lead or unit.kind not in (UnitKind.ITEM, UnitKind.LIST) or text.startswith(lead):
        return text
    negates = _NEGATES.search(lead) is not None
    announces = (
        not again and unit.kind is UnitKind.ITEM and lead.endswith(_COLONS) and len(lead) + len(text) < MAX_UNIT_CHARS
    )
    if not (negates or announces):
        return text
    return f"{lead if lead.endswith(_COLONS) else f'{lead}:'} {text}"


def _find_last_statement(lead: str) -> str:
    spans = list(find_statement_spans(lead))
    return lead[slice(*spans[-1])].strip() if spans else ""
