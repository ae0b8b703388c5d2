"""Claims that share the words of a source, by words alone: predicates, bindings, directions, moods, and eleven languages."""

from pathlib import Path

import pytest

from anchorage.chat.verification.verify import verify_sentences
from anchorage.model import Hit
from anchorage.text.analyser import format_analyser_name, load_analyser
from anchorage.text.languages import KNOWN, detect_language, load_language

ENGLISH = load_analyser(format_analyser_name("english"))
"""That of the settings: what an answer is written in is found out."""


def cases() -> list[object]:
    found: list[object] = []
    kind = source = ""
    for line in (Path(__file__).parent / "claims.txt").read_text("utf-8").splitlines():
        mark, _, claim = line.partition(" ")
        if mark in ("+", "-", "?+", "?-"):
            marks = [pytest.mark.xfail(strict=True, reason="words do not tell")] if mark[0] == "?" else []
            found.append(pytest.param(source, claim, mark[-1] == "+", id=f"{kind}-{claim}", marks=marks))
        elif mark != "#":
            kind, _, source = line.partition(" = ")
    return found


def passage(text: str) -> Hit:
    return Hit("1.1", "d1", "v1", "default", "file:///1", "Notes", 0, len(text), 1.0, text)


@pytest.mark.parametrize(("source", "claim", "holds"), cases())
async def test_claims(source: str, claim: str, holds: bool) -> None:
    found = await verify_sentences(claim, [passage(source)], "", ENGLISH)
    assert bool(found.statements) is holds and bool(found.unsupported) is not holds


def test_the_cases_are_balanced_and_few_are_judged_wrongly() -> None:
    lines = (Path(__file__).parent / "claims.txt").read_text("utf-8").splitlines()
    right, wrong, missed = (sum(line.startswith(mark) for line in lines) for mark in ("+", "-", "?"))
    assert right + wrong >= 400 and 0.8 < right / wrong < 1.2 and missed <= 0.02 * (right + wrong)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("The harbour was opened in 1827 and it has three docks.", "english"),
        ("Der Hafen wurde 1827 eröffnet und hat drei Becken.", "german"),
        ("Le port a été ouvert en 1827 et compte trois bassins.", "french"),
        ("El puerto fue inaugurado en 1827 y tiene tres muelles.", "spanish"),
        ("Il porto è stato aperto nel 1827 e ha tre bacini.", "italian"),
        ("O porto foi inaugurado em 1827 e tem três docas.", "portuguese"),
        ("De haven werd in 1827 geopend en heeft drie dokken.", "dutch"),
        ("Порт был открыт в 1827 году.", "russian"),
        ("Cảng được mở vào năm 1827 và có ba bến.", "vietnamese"),
        ("港口于1827年开放。", "chinese"),
        ("港は1827年に開かれた。", "japanese"),
        # nothing to tell it by, a name of another language, a language without a table
        ("1827", "english"),
        ("Nguyễn Phú Trọng visited the harbour and the town.", "english"),
        ("Miasto zostało założone w XIII wieku i jest jednym z najstarszych w całym kraju, a jego port pozostaje nieczynny.", "none"),
    ],
)  # fmt: skip
def test_the_language_of_a_text_is_told(text: str, name: str) -> None:
    assert detect_language(text, load_language("english")).name == name


def test_the_expected_language_is_kept_where_little_speaks_against_it() -> None:
    german = load_language("german")
    assert detect_language("Hafen Gent 1827", german) is german
    assert detect_language("Port 1827", load_language("finnish")).name == "none"


@pytest.mark.parametrize("name", KNOWN)
def test_tables_do_not_contradict_themselves(name: str) -> None:
    table = load_language(name)
    assert table.common and table.negators
    assert not table.rising & table.falling and not table.must & (table.may | table.can)
    ranked = [word for words in table.degrees for word in words]
    assert len(ranked) == len(set(ranked))
    for pair in table.opposites.split(","):
        one, other = pair.split()
        assert one != other
    assert len(table.months.split()) in (0, 12)


async def test_names_and_numbers_alone_are_asked_for_more_likeness() -> None:
    """What shares names and numbers is near in meaning too, whatever it says."""

    class Alike:
        async def embed_sentences(self, texts: list[str]) -> object:
            import numpy as np

            angle = np.arccos(0.85)
            return np.array([[1.0, 0.0]] + [[np.cos(angle), np.sin(angle)]] * (len(texts) - 1), dtype=np.float32)

    source = [passage("The bridge was opened in March 1889 by Mayor Hart.")]
    for claim, likeness, holds in (
        ("Mayor Hart died in March 1889.", 0.8, False),
        ("Mayor Hart died in March 1889.", 0.7, True),
        ("Mayor Hart inaugurated a brand new iron crossing.", 0.8, True),
    ):
        found = await verify_sentences(claim, source, "", ENGLISH, vectors=Alike(), likeness=likeness)  # type: ignore[arg-type]
        assert bool(found.statements) is holds


async def test_answers_in_another_language_than_the_passages_are_read_by_their_own_tables() -> None:
    source = [
        passage("Die Brücke wurde im März 1889 eröffnet. Sie hat drei Bögen. Hunde sind auf der Brücke nicht erlaubt.")
    ]
    found = await verify_sentences("Die Brücke hat 3 Bögen.", source, "How many arches does it have?", ENGLISH)
    assert found.statements and not found.unsupported
    found = await verify_sentences("Hunde sind auf der Brücke erlaubt.", source, "Are dogs allowed?", ENGLISH)
    assert found.unsupported and not found.statements
