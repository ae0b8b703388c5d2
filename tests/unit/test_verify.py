"""Citations of generated answers: kept, corrected, added, dropped; what nothing supports is told apart."""

import pytest

from anchorage.chat.quoting.sentences import SentenceVectors
from anchorage.chat.verification.verify import Verified, verify_sentences
from anchorage.errors import ModelUnavailable
from anchorage.model import Hit
from anchorage.testing.fakes import HashEmbedder
from anchorage.text.analyser import format_analyser_name, load_analyser

ENGLISH = load_analyser(format_analyser_name("english"))
HARBOUR = (
    "The harbour of Ghent was opened in 1827. It has three docks and 1,200 workers. King William I paid for it. "
    "The harbour was not closed during the war."
)
HORTA = "Victor Horta designed the Hôtel Tassel in 1893. He lived in Saint-Gilles. Paul Hankar taught at the academy."
BREAD = "Bread is made of flour and water. It is baked in an oven at 230 degrees for about 40 minutes."


def passage(number: int, text: str, title: str = "Notes") -> Hit:
    return Hit(
        f"1.{number}", f"d{number}", "v1", "default", f"file:///{number}", title, 100, 100 + len(text), 1.0, text
    )


PASSAGES = [passage(1, HARBOUR, "Ghent"), passage(2, HORTA), passage(3, BREAD)]


async def verified(text: str, question: str = "", **more: object) -> Verified:
    return await verify_sentences(text, PASSAGES, question, ENGLISH, **more)  # type: ignore[arg-type]


def quotes(found: Verified) -> list[str]:
    return [statement.hit.text[statement.start : statement.end] for statement in found.statements]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        # right, wrong, missing, doubled, of no passage, swapped
        ("The harbour of Ghent was opened in 1827 [1].", "The harbour of Ghent was opened in 1827 [1]."),
        ("The harbour of Ghent was opened in 1827 [2].", "The harbour of Ghent was opened in 1827 [1]."),
        ("The harbour of Ghent was opened in 1827.", "The harbour of Ghent was opened in 1827 [1]."),
        ("The harbour of Ghent was opened in 1827 [2][1][3].", "The harbour of Ghent was opened in 1827 [1]."),
        ("The harbour of Ghent was opened in 1827 [77].", "The harbour of Ghent was opened in 1827 [1]."),
        (
            "Bread is made of flour and water [2]. Victor Horta designed the Hôtel Tassel in 1893 [3].",
            "Bread is made of flour and water [3]. Victor Horta designed the Hôtel Tassel in 1893 [2].",
        ),
        # where markers stand, and how they are written
        ("Bread is made of flour and water. [3] Horta lived in Saint-Gilles. [2]",
         "Bread is made of flour and water. [3] Horta lived in Saint-Gilles. [2]"),
        ("Bread is made of flour and water【3†source】.", "Bread is made of flour and water [3]."),
        ("Bread is made of flour and water [passage 3].", "Bread is made of flour and water [3]."),
        ("Bread is made of flour and water [1, 3].", "Bread is made of flour and water [3]."),
        ("- Bread is made of flour and water [1]\n- Horta lived in Saint-Gilles",
         "- Bread is made of flour and water [3]\n- Horta lived in Saint-Gilles [2]"),
        ("1. [2] Bread is made of flour and water.", "1. [3] Bread is made of flour and water."),
        ("[3] Step 1: Bread is made of flour and water.", "Step 1: [3] Bread is made of flour and water."),
        ("Bread is made of flour and water [2-3].", "Bread is made of flour and water [3]."),
        ("Bread is made of flour and water［3］.", "Bread is made of flour and water [3]."),
        ("Bread is made of flour and water \\[3\\].", "Bread is made of flour and water [3]."),
        # numbers of items
        ("1. Bread is made of flour and water [3].\n2. Victor Horta designed the Hôtel Tassel in 1893 [3].",
         "1. Bread is made of flour and water [3].\n2. Victor Horta designed the Hôtel Tassel in 1893 [2]."),
        ("(1) Bread is made of flour and water.", "(1) Bread is made of flour and water [3]."),
        ("> 12) Bread is made of flour and water.", "> 12) Bread is made of flour and water [3]."),
        ("Step 2: Bread is made of flour and water.", "Step 2: Bread is made of flour and water [3]."),
        # clauses with markers of their own
        ("Victor Horta designed the Hôtel Tassel [1] and bread is made of flour [2].",
         "Victor Horta designed the Hôtel Tassel [2] and bread is made of flour [3]."),
        # one sentence on two passages
        ("Victor Horta designed the Hôtel Tassel, and the harbour of Ghent was opened in 1827.",
         "Victor Horta designed the Hôtel Tassel, and the harbour of Ghent was opened in 1827 [2][1]."),
        # other words, other notations, another order
        ("In 1893, the Hôtel Tassel was designed by Victor Horta.", "In 1893, the Hôtel Tassel was designed by Victor Horta [2]."),
        ("Ghent's harbour has 3 docks and 1200 workers.", "Ghent's harbour has 3 docks and 1200 workers [1]."),
        ("Victor Horta lived in Saint-Gilles.", "Victor Horta lived in Saint-Gilles [2]."),
        ("King William paid for the harbour of Ghent.", "King William paid for the harbour of Ghent [1]."),
        # code is code
        ("Call `items[1]` for bread made of flour and water.", "Call `items[1]` for bread made of flour and water."),
    ],
)  # fmt: skip
async def test_markers_are_put_right(written: str, shown: str) -> None:
    found = await verified(written)
    assert found.text == shown
    assert [item.marker for item in found.statements] == [
        int(char) for char in shown.replace("`items[1]`", "") if char.isdigit() and f"[{char}]" in shown
    ] or len({item.marker for item in found.statements}) == len(found.statements)


@pytest.mark.parametrize(
    "claim",
    [
        "The harbour of Ghent was opened in 1837.",
        "The harbour of Antwerp was opened in 1827.",
        "The harbour of Ghent was not opened in 1827.",
        "The harbour of Ghent was closed in 1827.",
        "The harbour was closed during the war.",
        "It has four docks and 1,200 workers.",
        "Paul Hankar designed the Hôtel Tassel in 1893.",
        "Pierre Horta designed the Hôtel Tassel in 1893.",
        "Einstein designed the Hôtel Tassel in 1893.",
        "Bread is baked in an oven at 320 degrees.",
        "Bread is baked for about 50 minutes.",
        "Bread is made of rye and milk with plenty of butter.",
        "The moon orbits the earth once in every month.",
        "King Leopold paid for the harbour.",
        "It is baked in an oven at 40 degrees for about 40 minutes.",
        "It is baked in an oven at 40 degrees for about 230 minutes.",
        "The passages do not mention the baker, but bread is made of sand.",
    ],
)
async def test_what_the_passages_do_not_say_is_unsupported(claim: str) -> None:
    for marked in (claim, claim[:-1] + " [1].", claim[:-1] + " [2][3]."):
        found = await verified(f"Bread is made of flour and water [3]. {marked}")
        assert [item.text for item in found.unsupported] == [claim]
        (item,) = found.unsupported
        assert found.text[item.start : item.end] == claim
        assert quotes(found) == ["Bread is made of flour and water."]


async def test_the_span_is_the_sentence_or_as_many_as_it_takes() -> None:
    found = await verified("The harbour of Ghent was opened in 1827 and has three docks.")
    assert quotes(found) in (
        ["The harbour of Ghent was opened in 1827. It has three docks and 1,200 workers."],
        ["The harbour of Ghent was opened in 1827.", "It has three docks and 1,200 workers."],
    )
    assert not found.unsupported


async def test_what_is_unsupported_can_be_withheld() -> None:
    text = "Bread is made of flour and water [3]. The moon is made of green cheese [1]. Horta lived in Saint-Gilles."
    found = await verified(text, withhold=True)
    assert found.text == "Bread is made of flour and water [3]. Horta lived in Saint-Gilles [2]."
    (item,) = found.unsupported
    assert item.text == "" and item.start == item.end == len("Bread is made of flour and water [3].")
    nothing = await verified("The moon is made of green cheese [1].", withhold=True)
    assert (nothing.text, len(nothing.unsupported)) == ("", 1)


async def test_what_claims_nothing_is_left_alone_but_an_answer_of_it_is_not_trusted() -> None:
    found = await verified(
        "Here is what I found:\n\nBread is made of flour and water [3].\n\nDo you want to know more?"
    )
    assert not found.unsupported and found.claims == 1
    assert [item.text for item in (await verified("Yes [1].")).unsupported] == ["Yes."]
    absent = "The passages do not say who baked it."
    assert not (await verified(f"Bread is made of flour and water. {absent}")).unsupported


@pytest.mark.parametrize(
    ("answer", "question", "marker"),
    [
        ("1893 [3].", "When did Victor Horta design the Hôtel Tassel?", 2),
        ("Victor Horta", "Who designed the Hôtel Tassel?", 2),
        ("The answer is flour and water [1].", "What is bread made of?", 3),
        ("1827.", "When did Victor Horta design the Hôtel Tassel?", None),
    ],
)
async def test_short_answers_are_read_with_their_question(answer: str, question: str, marker: int | None) -> None:
    found = await verified(answer, question)
    assert [item.marker for item in found.statements] == ([marker] if marker else [])
    assert bool(found.unsupported) is (marker is None)


async def test_meaning_decides_what_words_leave_open() -> None:
    claim = "Bread consists of flour plus water."
    vectors = SentenceVectors(HashEmbedder())
    without = await verified(claim)
    near = await verified(claim, vectors=vectors, likeness=0.3)
    far = await verified(claim, vectors=vectors, likeness=0.99)
    assert [bool(found.statements) for found in (near, far)] == [True, bool(without.statements)]
    wrong = "The harbour of Ghent was opened in 1837."
    assert (await verified(wrong, vectors=vectors, likeness=0.1)).unsupported


async def test_an_embedder_that_is_away_leaves_it_open() -> None:
    class Away(HashEmbedder):
        async def embed_passages(self, texts: object) -> object:  # type: ignore[override]
            raise ModelUnavailable("The model server is away. Try again.")

    claim = "Bread consists of flour plus milk, sugar or oats."
    found = await verified(claim, vectors=SentenceVectors(Away()), likeness=0.3)  # type: ignore[arg-type]
    assert [item.text for item in found.unsupported] == [claim]


async def test_hidden_characters_do_not_hide_the_support() -> None:
    text = "The har\u200bbour of Ghent was ope\u00adned in 1827."
    found = await verify_sentences("The harbour of Ghent was opened in 1827.", [passage(1, text)], "", ENGLISH)
    (statement,) = found.statements
    assert text[statement.start : statement.end] == text


async def test_german_nouns_are_not_names() -> None:
    german = load_analyser(format_analyser_name("german"))
    text = "Der Hafen von Gent wurde im Jahr 1827 eröffnet. Er hat drei Becken."
    found = await verify_sentences("Im Jahr 1827 wurde in Gent der Hafen eröffnet.", [passage(1, text)], "", german)
    assert [item.marker for item in found.statements] == [1]
    found = await verify_sentences("Der Hafen von Gent wurde 1828 eröffnet [1].", [passage(1, text)], "", german)
    assert not found.statements and found.unsupported


async def test_who_did_what_to_whom_matters() -> None:
    hits = [passage(1, "Ajax defeated Hector in the final. The match was played in Ghent.")]
    assert (await verify_sentences("Ajax defeated Hector in the final.", hits, "", ENGLISH)).statements
    assert (await verify_sentences("In the final, Hector was defeated by Ajax.", hits, "", ENGLISH)).statements
    assert (await verify_sentences("Hector defeated Ajax in the final [1].", hits, "", ENGLISH)).unsupported


PLACES = (
    "The company employs 20,000 people in Germany and 5,000 in France. It was founded on 3 March 1889. "
    "Children under 12 should not take the lift, which is 330 metres high. The dose may be doubled if a doctor approves."
)


@pytest.mark.parametrize(
    ("claim", "right"),
    [
        ("The company employs 20,000 people in France and 5,000 in Germany.", False),
        ("The company employs 5,000 people in France.", True),
        ("It was founded on 3 May 1889.", False),
        ("It was founded in March 1889.", True),
        ("Children over 12 should not take the lift.", False),
        ("The lift is 330 feet high.", False),
        ("The lift is 330 metres high.", True),
        ("The dose may be tripled if a doctor approves.", False),
    ],
)
async def test_names_numbers_months_and_units_that_changed_places(claim: str, right: bool) -> None:
    found = await verify_sentences(claim, [passage(1, PLACES)], "", ENGLISH)
    assert bool(found.statements) is right and bool(found.unsupported) is not right


async def test_a_sentence_that_denies_a_claim_outweighs_one_that_is_merely_alike() -> None:
    text = "Der Hafen von Gent wurde 1827 eröffnet. Der Hafen wurde im Krieg nicht geschlossen."
    german = load_analyser(format_analyser_name("german"))
    found = await verify_sentences("Der Hafen wurde im Krieg geschlossen.", [passage(1, text)], "", german)
    assert found.unsupported and not found.statements


async def test_a_sentence_in_bold_is_a_claim_like_any_other() -> None:
    found = await verified("Bread is made of flour and water [3]. **The harbour of Ghent was opened in 1750.**")
    assert [item.text for item in found.unsupported] == ["**The harbour of Ghent was opened in 1750.**"]
    found = await verified("**The harbour of Ghent was opened in 1827.** [2]")
    assert found.claims == 1 and found.text == "**The harbour of Ghent was opened in 1827.** [1]"
    assert not (await verified("**The harbour**\n\nIt has three docks [1].")).unsupported


@pytest.mark.parametrize(
    "frame",
    [
        "## The moon in 2024", "### 3.2 The moon\n", "**The moon**", "**Step 2: The moon**", "**3.1 The moon**", "The moon has this to say:",
        "**What the moon says:**", "这里有月亮：", "What of the moon?", "---", "The moon\n========",
    ],
)  # fmt: skip
async def test_headings_and_announcements_are_no_claims_and_hide_none(frame: str) -> None:
    for gap in ("\n", "\n\n"):
        found = await verified(f"{frame}{gap}Bread is made of flour and water [1].")
        assert not found.unsupported and found.claims == 1
        assert found.text == f"{frame}{gap}Bread is made of flour and water [3]."
        found = await verified(
            f"{frame}{gap}The moon is made of green cheese.\n\nBread is made of flour and water [3]."
        )
        assert [item.text for item in found.unsupported] == ["The moon is made of green cheese."]


async def test_a_sentence_behind_one_in_bold_stands_for_itself() -> None:
    found = await verified("**Bread is made of flour and water.** The moon is made of green cheese. [3]")
    assert [item.text for item in found.unsupported] == ["The moon is made of green cheese."]
    assert quotes(found) == ["Bread is made of flour and water."]


async def test_a_second_marker_stays_only_where_its_passage_says_as_much() -> None:
    source = [
        passage(1, "The iron bridge of Ghent was opened in March 1889 by the mayor."),
        passage(2, "The iron bridge of Ghent was opened in March 1889."),
        passage(3, "In March 1889 the mayor opened the iron bridge of Ghent."),
    ]
    for written, shown in (("[1][2]", "[1]"), ("[2][1]", "[1]"), ("[1][3]", "[1][3]"), ("[2]", "[2]")):
        text = f"The iron bridge of Ghent was opened in March 1889 by the mayor {written}."
        assert (await verify_sentences(text, source, "", ENGLISH)).text == text.replace(written, shown)


@pytest.mark.parametrize("written", ["**Gold** [3]", "# Gold", "Gold:", "Gold? [1]", "**Bread is made of gold**"])
async def test_frames_around_nothing_are_all_that_is_said_and_unsupported(written: str) -> None:
    found = await verified(written)
    assert found.unsupported and found.claims == 1 and not found.statements


@pytest.mark.parametrize("added", ["the Atomium", "the Eiffel Tower"])
async def test_a_name_that_was_added_is_seen_among_many_names(added: str) -> None:
    found = await verified(f"Victor Horta designed the Hôtel Tassel and {added} [2].")
    assert found.unsupported and not found.statements


async def test_what_numbers_a_wrong_item_goes_with_it_and_a_day_is_no_such_number() -> None:
    found = await verified("1. Bread is made of flour and water.\n2. Bread is made of gold.", withhold=True)
    assert found.text == "1. Bread is made of flour and water [3]." and len(found.unsupported) == 1
    german = load_analyser(format_analyser_name("german"))
    passages = [passage(1, "Der Hafen von Gent wurde am 1. Juni 1827 eröffnet.")]
    assert (
        await verify_sentences("2. Juni 1827: Der Hafen von Gent wurde eröffnet.", passages, "", german)
    ).unsupported


async def test_brackets_that_hold_no_passage_stay() -> None:
    found = await verified("Bread is made of flour and water, as [0-9], [1-9] and [3-1] say, and [1999] too.")
    assert all(part in found.text for part in ("[0-9]", "[1-9]", "[3-1]", "[1999]"))
