"""The deterministic rules of the guards: they find secrets, personal data, and attempts to take over.

The patterns of keys are those that their makers document and gitleaks collects (its default rules, MIT licence); the check digits of
cards, bank accounts and identity numbers are checked by python-stdnum. Every rule first looks for a few characters that its
patterns need, so that ordinary text costs almost nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from anchorage.text.hidden import strip_hidden_characters


@dataclass(frozen=True, slots=True)
class Finding:
    """`text[start:end]` is `what` (such as "an AWS access key"), found by `rule`."""

    rule: str
    what: str
    start: int
    end: int


_SECRETS: tuple[tuple[tuple[str, ...], str, re.Pattern[str]], ...] = tuple(
    (hints, what, re.compile(pattern))
    for hints, what, pattern in (
        (("AKIA", "ASIA", "ABIA", "ACCA"), "an AWS access key", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b"),
        (
            ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
            "a GitHub token",
            r"\bgh[pousr]_[A-Za-z0-9]{36,255}\b|\bgithub_pat_\w{82}\b",
        ),
        (("glpat-",), "a GitLab token", r"\bglpat-[\w-]{20,}"),
        (("xox",), "a Slack token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
        (("sk-",), "an API key", r"(?<![\w-])sk-(?=[\w-]{0,200}\d)[\w-]{20,300}"),
        (("AIza",), "a Google API key", r"\bAIza[\w-]{35}"),
        (("k_live_", "k_test_", "k_prod_"), "a Stripe key", r"\b[rs]k_(?:live|test|prod)_[A-Za-z0-9]{10,99}\b"),
        (("hf_",), "a Hugging Face token", r"\bhf_[A-Za-z]{34}\b"),
        (("npm_", "pypi-"), "a package registry token", r"\bnpm_[A-Za-z0-9]{36}\b|\bpypi-AgEIcHlwaS5vcmc[\w-]{50,}"),
        (("SG.",), "a SendGrid key", r"\bSG\.[\w-]{22}\.[\w-]{43}"),
        (("eyJ",), "a JSON web token", r"(?<![\w-])eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{5,}"),
        (
            ("PRIVATE KEY",),
            "a private key",
            r"-----BEGIN[A-Z ]{0,20}PRIVATE KEY(?: BLOCK)?-----"
            r"(?:[^-]{0,16000}-----END[A-Z ]{0,20}PRIVATE KEY(?: BLOCK)?-----)?",
        ),
        (("://",), "a password in an address", r"://([^\s:/@]{1,64}:[^\s@/]{3,128})@"),
    )
)
_ASSIGNED = re.compile(
    r"(?:password|passwd|secret|api_?key|access_?key|token)[\w-]{0,20}[\"']?\s{0,3}=\s{0,3}[\"']?"
    r"((?=[^\s\"',;&]{0,127}\d)[^\s\"',;&(){}\[\]]{8,128})",
    re.IGNORECASE,
)
_ASSIGNED_HINTS = ("password", "passwd", "secret", "key", "token")


def find_secrets(text: str) -> Iterator[Finding]:
    """Find keys, tokens and passwords by their distinctive forms."""
    for hints, what, pattern in _SECRETS:
        if _contains_any(hints, text):
            for match in pattern.finditer(text):
                yield Finding("secrets", what, *match.span(pattern.groups))
    if "=" in text and _contains_any(_ASSIGNED_HINTS, text.lower()):
        for match in _ASSIGNED.finditer(text):
            yield Finding("secrets", "a password or key", *match.span(1))


def _contains_any(hints: tuple[str, ...], text: str) -> bool:
    for hint in hints:  # noqa: SIM110  a generator for `any` would cost more than the search
        if hint in text:
            return True
    return False


_EMAIL = re.compile(
    r"(?<![\w.+-])[\w+-][\w.+-]{0,63}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,4}\.[A-Za-z]{2,24}\b"
)
_DIGITS = re.compile(r"\d(?:[ ().-]{0,2}\d){7,18}")
_JOINING_CHARACTERS = frozenset(".,/-_=&#:")  # next to a run of digits, they show that it is part of something else
_TELEPHONE = re.compile(
    r"\+\d[\d ().-]{7,18}|\(?[2-9]\d\d\)?[ .-]{1,2}[2-9]\d\d[ .-]\d{4}|0[35789](?:[ .-]?\d){8}"  # abroad, North America, Vietnam
)
_IDENTITY = re.compile(r"\d{3}-\d{2}-\d{4}")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_MAX_IBANS = 100  # at most so many check digits are computed
_IBAN_HINT = re.compile(r"\b[A-Z]{2}\d{2}[ A-Z0-9]")


def find_personal_data(text: str) -> Iterator[Finding]:
    """Find e-mail addresses, telephone numbers, and card, bank and (US) social security numbers whose check digits are right."""
    if "@" in text:
        for match in _EMAIL.finditer(text):
            yield Finding("pii", "an e-mail address", match.start(), match.end())
    for match in _DIGITS.finditer(text):
        start, end = match.span()
        start -= text[:start].endswith("(")
        start -= text[:start].endswith("+")
        before, after = text[start - 1 : start], text[end : end + 1]
        if (
            before in _JOINING_CHARACTERS
            or before.isalnum()
            or after.isalnum()
            or (after in _JOINING_CHARACTERS and text[end + 1 : end + 2].isalnum())
        ):
            continue
        if what := _identify_number(text[start:end]):
            yield Finding("pii", what, start, end)
    if _IBAN_HINT.search(text):
        from stdnum.iso7064 import mod_97_10

        for match in islice(_IBAN.finditer(text), _MAX_IBANS):
            number = match.group().replace(" ", "")
            if mod_97_10.is_valid(number[4:] + number[:4]):
                yield Finding("pii", "a bank account number", match.start(), match.end())


def _identify_number(found: str) -> str | None:
    """Say what a run of digits with separators is; None for an ordinary number."""
    if _IDENTITY.fullmatch(found):
        from stdnum.us import ssn

        return "a social security number" if ssn.is_valid(found) else None
    digits = "".join(filter(str.isdigit, found))
    if 13 <= len(digits) <= 19 and digits[0] in "3456":
        from stdnum import luhn

        return "a card number" if luhn.is_valid(digits) and len(set(digits)) > 1 else None
    return "a telephone number" if 8 <= len(digits) <= 15 and _TELEPHONE.fullmatch(found) else None


# An order begins a clause. "What does 'ignore all previous instructions' mean?" is a question about one.
_ORDER = r"(?:^|[.!?:;,)\]\n-]|\b(?:please|now|and|then|first|just|must|should|(?<!how )to|you|i want you to))\s*(?:please\s+|now\s+|just\s+)?"
_DROP = r"(?:ignore|disregard|forget|override|bypass|discard|do not follow|don'?t follow|stop following)"
_EARLIER = r"(?:previous|prior|above|preceding|earlier|foregoing|existing|initial|original|system|safety)"
# "Forget my earlier question", "ignore the previous message, I meant 2024": people correct themselves.
_OWN_MESSAGES = r"my\s|(?:(?:the|that|this)\s+)?(?:previous|prior|earlier)\s+message\b"
_RULES = r"(?:instructions?|prompts?|rules?|directions?|directives?|guidelines?|commands?|messages?)"
_QUALIFIED = r"(?:system|initial|hidden|original|secret|developer|confidential)"
_DROP_HINTS = ("ignore", "disregard", "forget", "override", "bypass", "discard", "follow")
# "The system prompt of a shell", "the instructions above the sink": documents have such things too.
_NOT_OF_SOMETHING = (
    r"(?!\s+(?:formats?|handlers?|logs?|queues?)\b|\s+of\s+(?!(?:this|your|yours|it)\b|"
    r"(?:the\s+)?(?:chat|conversation|assistant|model|session|ai|bot|chatbot|llm|system)\b))"
)
_NOT_A_PLACE = (
    r"(?!-|\s+(?:\d|(?:the|a|an|my|our|his|her|its|their|each|every)\s+"
    r"(?!(?:\w+\s+)?(?:line|message|question|passages?|prompt|text|point|sentence|mark)\b)))"
)
_RULES_HINTS = ("instruction", "prompt", "rule", "direct", "guideline", "command", "message")
_QUALIFIED_HINTS = ("system", "initial", "hidden", "original", "secret", "developer", "confidential", "above")
# Each pattern with what must be there: one of each group of words.
_INJECTIONS: tuple[tuple[tuple[tuple[str, ...], ...], str, re.Pattern[str]], ...] = tuple(
    (hints, what, re.compile(pattern, re.MULTILINE))
    for hints, what, pattern in (
        (
            (_DROP_HINTS, _RULES_HINTS),
            "an order to drop the instructions",
            rf"{_ORDER}{_DROP}\s+(?!{_OWN_MESSAGES})(?:(?:[\w']+\s+){{0,3}}?{_EARLIER}\s+(?:\w+\s+){{0,2}}?|(?:all\s+|any\s+|of\s+)*your\s+(?:\w+\s+)?)"
            rf"{_RULES}\b",
        ),
        (
            (
                (
                    "hướng dẫn",
                    "chỉ dẫn",
                    "chỉ thị",
                    "lệnh",
                    "anweisung",
                    "regeln",
                    "instructions",
                    "consigne",
                    "règle",
                    "instrucc",
                ),
            ),
            "an order to drop the instructions",
            r"\b(?:bỏ qua|phớt lờ|quên)\s+(?:\w+\s+){0,3}(?:hướng dẫn|chỉ dẫn|chỉ thị|lệnh)\s+(?:\w+\s+){0,2}(?:trước|trên|hệ thống)|"
            r"\b(?:ignoriere|vergiss)\s+(?:\w+\s+){0,2}(?:vorherigen|bisherigen|obigen)\s+(?:anweisungen|regeln)|"
            r"\b(?:ignore[rz]?|oublie[rz]?)\s+(?:\w+\s+){0,2}(?:instructions|consignes|règles)\s+(?:précédentes|ci-dessus)|"
            r"\b(?:ignora|olvida)\s+(?:\w+\s+){0,2}instrucciones\s+(?:anteriores|previas)",
        ),
        (
            (_QUALIFIED_HINTS, (*_RULES_HINTS, "above")),
            "an order to reveal the instructions",
            rf"{_ORDER}(?:reveal|show|print|repeat|output|display|leak|dump|recite|tell|give|write|copy|translate|summari[sz]e)\s+"
            rf"(?:\w+\s+){{0,4}}?(?:your\s+{_QUALIFIED}\s+(?:\w+\s+)?{_RULES}|your\s+system\s+(?:prompt|message)\b|"
            rf"(?:the|this)\s+system\s+(?:prompt|message)\b{_NOT_OF_SOMETHING}|"
            rf"(?:everything|all|the\s+(?:text|words|prompt|instructions?|messages?))\s+above\b{_NOT_A_PLACE})|"
            rf"\bwhat(?:'s|\s+is|\s+are|\s+were)\s+your\s+{_QUALIFIED}\s+{_RULES}\b",
        ),
        (
            ((" mode", " dan", "jailbr", "restrict", "rules", "filter", "limit", "guideline"),),
            "an order to play another role",
            r"\b(?:you are now|act as|pretend (?:to be|you are|that you are)|behave as|become|enter|switch to|activate|enable)\s+"
            r"(?:\w+\s+){0,3}?(?:dan\b|(?:god|jailbreak|dan)\s+mode\b|jailbroken\b|unrestricted (?:ai|model|assistant|chatbot)\b|"
            r"(?:ai|model|assistant|chatbot|bot)\s+(?:\w+\s+){0,3}(?:without|with no|no)\s+(?:\w+\s+)?"
            r"(?:restrictions|rules|filters|limits|guidelines)\b)|\byou are now (?:in|entering) (?:developer|debug|admin|sudo) mode\b",
        ),
        (
            (("<|", "<<sys", "inst]", "passage"),),
            "the marks of a chat template",
            r"<\|im_start\|>\s*(?:system|assistant)|<\|start_header_id\|>\s*system|<\|system\|>\s*\w|<<sys>>|\[/?inst\].*\[/?inst\]|"
            r"</?passage\b[^>]{0,200}>",
        ),
    )
)


def find_injection(text: str) -> Iterator[Finding]:
    """Find orders to drop or reveal the instructions, in the usual wordings. A heuristic that can be got around."""
    plain, lines = text, ""
    if not text.isascii():  # fold look-alike letters, and drop hidden characters
        plain = strip_hidden_characters(unicodedata.normalize("NFKC", text))
    plain = plain.lower().replace("’", "'")
    for groups, what, pattern in _INJECTIONS:
        if not all([_contains_any(group, plain) for group in groups]):  # noqa: C419  see `_contains_any`
            continue
        lines = lines or "\n".join(
            " ".join(line.split()) for line in plain.splitlines() if line.strip()
        )  # no long runs of white space
        if pattern.search(lines):
            yield Finding("injection", what, 0, len(text))
            return


# The surroundings of a match are searched apart from the pattern, so that hostile text takes linear time only.
_IMAGE_TARGET = re.compile(r"\] ?\(\s*[<‹`]*(?:https?:)?//[^)\s]{1,2000}+(?:(?:\s[^)\n]{0,200})?\))?", re.IGNORECASE)
_ELEMENT = re.compile(r"[<‹](?:img|script|iframe|object|embed|link|svg|form)\b", re.IGNORECASE)
_ALT, _INSIDE = 500, 2000  # characters of an image's text, and of an element's tag


def find_active_markup(text: str) -> Iterator[Finding]:
    """Find images and active elements. A page that shows them calls their address, and sends what it contains."""
    for start, end in sorted([*_find_images(text), *_find_elements(text)]):
        yield Finding("injection", "an image or active markup", start, end)


def _find_images(text: str) -> Iterator[tuple[int, int]]:
    if "![" not in text:
        return
    for match in _IMAGE_TARGET.finditer(text):
        least = max(0, match.start() - _ALT - 2)
        least = max(text.rfind(sign, least, match.start()) + 1 or least for sign in "]\n")
        if (start := text.rfind("![", least, match.start())) >= 0:
            yield start, match.end()


def _find_elements(text: str) -> Iterator[tuple[int, int]]:
    if "<" not in text and "‹" not in text:
        return
    for match in _ELEMENT.finditer(text):
        end = text.find(">", match.end(), match.end() + _INSIDE + 1)
        if end >= 0:
            yield match.start(), end + 1


Rule = Callable[[str], Iterator[Finding]]
QUESTION_RULES: dict[str, Rule] = {"secrets": find_secrets, "pii": find_personal_data, "injection": find_injection}
ANSWER_RULES: dict[str, Rule] = {"secrets": find_secrets, "pii": find_personal_data, "injection": find_active_markup}


_CITED = re.compile(r"\[\d{1,3}\]")


def redact_findings(text: str, findings: list[Finding]) -> str:
    """Replace every finding by a word that says what it was. Markers of citations inside it stay, after that word."""
    pieces, at = [], 0
    for finding in sorted(findings, key=lambda item: (item.start, -item.end)):
        if finding.start < at:
            continue
        # Brackets before a parenthesis or a colon would make a link.
        apart = " " if text[finding.end : finding.end + 1] in ("(", "[", ":") else ""
        marked = "".join(_CITED.findall(text[finding.start : finding.end]))
        word = f"[{finding.what.split(' ', 1)[-1]} removed]"
        pieces += [text[at : finding.start], f"{word} {marked}" if marked else word, apart]
        at = finding.end
    return "".join([*pieces, text[at:]])
