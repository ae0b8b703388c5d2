"""Citation precision and recall as ALCE defines them; answers of the careless test model."""

import pytest

from anchorage.chat.generation.prompt import build_prompt
from anchorage.chat.state import Draft, Statement
from anchorage.evaluation.citations import judge_citations
from anchorage.model import Hit
from anchorage.testing.citing import MARKERS, write_cited_answer
from anchorage.testing.model_behaviour import Behaviour
from anchorage.text.analyser import format_analyser_name, load_analyser

ENGLISH = load_analyser(format_analyser_name("english"))


def hit(number: int, text: str) -> Hit:
    return Hit(f"1.{number}", f"d{number}", "v", "c", f"file:///{number}", "Notes", 0, len(text), 1.0, text)


HITS = [
    hit(1, "The harbour of Ghent was opened in 1827."),
    hit(2, "Bread is made of flour and water."),
    hit(3, "Iron melts."),
]


@pytest.mark.parametrize(
    ("text", "precision", "recall"),
    [
        ("The harbour of Ghent was opened in 1827 [1].", [1], [1]),
        ("The harbour of Ghent was opened in 1827 [2].", [0], [0]),
        ("The harbour of Ghent was opened in 1827.", [], [0]),
        # [3] alone entails nothing, and is not needed
        ("The harbour of Ghent was opened in 1827 [1][3].", [1, 0], [1]),
        ("The harbour of Ghent was opened in 1827, and bread is made of flour and water [1][2].", [1, 1], [1]),
        ("Bread is made of flour and water [2]. The harbour of Ghent was opened in 1837 [1].", [1, 0], [1, 0]),
        ("Bread is made of flour and water [9].", [0], [0]),
    ],
)
def test_precision_and_recall(text: str, precision: list[float], recall: list[float]) -> None:
    statements = [Statement("", item, 0, 1, number) for number, item in enumerate(HITS, 1)]
    found = judge_citations(Draft(text, False, statements), "", ENGLISH)
    assert (found.precision, found.recall) == (precision, recall)


@pytest.mark.parametrize("style", [style for style in MARKERS if style])
def test_the_careless_model_knows_what_is_true_of_its_answer(style: str) -> None:
    long = [
        hit(n, f"The tower of town {n} was built in {1800 + n} by the guild of masons, who lived nearby.")
        for n in (1, 2, 3)
    ]
    messages = [
        {"role": item.role, "content": item.content} for item in build_prompt("When was the tower built?", long, ())
    ]
    answer = write_cited_answer(messages, style)  # type: ignore[arg-type]
    assert Behaviour().apply_changes(f"markers={style}").write_answer(messages) == answer.text
    true = [item for item in answer.sentences if item.passage]
    assert len(true) == 2 and len(answer.sentences) == 3
    assert all(item.source in long[item.passage - 1].text for item in true if item.passage)
    if style in ("right", "wrong", "swapped"):
        assert all((item.marker == item.passage) is (style == "right") for item in true)
    if style == "missing":
        assert "[" not in answer.text


def test_unknown_markers_are_refused() -> None:
    with pytest.raises(ValueError, match="knows no markers"):
        Behaviour().apply_changes("markers=upside-down")
