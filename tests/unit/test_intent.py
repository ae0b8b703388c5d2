"""What a message wants, by its words, in each language of the page."""

import pytest

from anchorage.chat.intent.detect import Intent, detect_intent
from anchorage.chat.intent.phrases import LANGUAGES, Talk

TALK = {
    Talk.GREETING: [
        "Hello!",
        "Hi there",
        "Good morning",
        "Hallo",
        "Guten Tag!",
        "Bonjour",
        "Salut !",
        "¡Hola!",
        "Buenos días",
    ],
    Talk.THANKS: ["Thanks a lot!", "thank you", "Danke schön", "Vielen Dank!", "Merci beaucoup", "¡Muchas gracias!"],
    Talk.FAREWELL: ["Bye", "See you later", "Tschüss", "Auf Wiedersehen", "Au revoir", "¡Hasta luego!"],
    Talk.WELLBEING: ["How are you?", "Wie geht es dir?", "Ça va ?", "¿Cómo estás?"],
    Talk.ABILITIES: ["What can you do?", "Who are you?", "Was kannst du?", "Qui es-tu ?", "¿Qué puedes hacer?"],
}
OTHERS = {
    Intent.LIST_ALL: [
        "What documents do you have?", "List all documents", "Which files are there?", "Welche Dokumente hast du?", "Quels documents avez-vous ?",
        "¿Qué documentos tienes?",
    ],
    Intent.COUNT: ["How many files do you have?", "Wie viele Dokumente gibt es?", "Combien de documents avez-vous ?", "¿Cuántos documentos hay?"],
    Intent.NEWEST: [
        "What is the newest document?", "Welches ist das neueste Dokument?", "Quel est le document le plus récent ?",
        "¿Cuál es el documento más reciente?",
    ],
    Intent.VAGUE: [
        "Tell me more", "What is it?", "And the second one?", "Why?", "Erzähl mir mehr", "Dis-moi en plus", "Et le deuxième ?",
        "Cuéntame… ¿por qué?", "¿Y el segundo?",
    ],
}  # fmt: skip
DOCUMENTS = [
    "When was the harbour of Ghent opened?",
    "Is there a limit for the size of files?", "What does hello mean in Dutch?",
    "How many files may be open at once?",
    "Who is the author of the documents of Ghent?", "Thanks to whom was the harbour built?", "What is the newest version of pgvector?",
    "Wann wurde der Hafen von Gent eröffnet?", "Wie viele Docks hat der Hafen?", "Was kann ich gegen Rost tun?", "Quand le port a-t-il été ouvert ?",

    "Combien de quais a le port ?", "¿Cuándo se abrió el puerto?", "¿Qué hay en el puerto de Gante?",
    "港は何時開きましたか", "x" * 20_000,
    "What is x.y-1?", "hello world program in Go?", "hallo welt programm", "Hi-Fi", "Thanks for sharing policy", "See you later policy",
    "wie geht es weiter mit dem Hafen?",
    "Was können Sie über Häfen sagen?", "¿Cómo está configurado?", "Salut les copains", "who wrote the constitution?", "refund deadline",
    "port setting",
    "gracias a Dios por los puertos", "What is the summary judgment rule?",
]  # fmt: skip


@pytest.mark.parametrize(
    ("talk", "message"), [(talk, message) for talk, messages in TALK.items() for message in messages]
)
def test_small_talk(talk: Talk, message: str) -> None:
    for alone in (True, False):
        found = detect_intent(message, alone=alone)
        assert (found.intent, found.talk) == (Intent.TALK, talk)


@pytest.mark.parametrize(
    ("intent", "message"), [(intent, message) for intent, messages in OTHERS.items() for message in messages]
)
def test_the_catalogue_and_what_names_nothing(intent: Intent, message: str) -> None:
    assert detect_intent(message, alone=True).intent is intent
    if intent is Intent.VAGUE:  # what was said before may be meant
        assert detect_intent(message, alone=False).intent is Intent.DOCUMENTS


@pytest.mark.parametrize(
    ("message", "topic"),
    [
        ("Which documents mention harbours?", "harbours"), ("What PDF files do you have?", "pdf"),
        ("Which documents are about bread and butter?", "bread and butter"),
        ("Welche Dokumente hast du über Häfen?", "häfen"), ("Quels documents avez-vous sur les ports ?", "les ports"),
        ("¿Qué documentos hay sobre puertos?", "puertos"),
    ],
)  # fmt: skip
def test_which_documents_there_are(message: str, topic: str) -> None:
    found = detect_intent(message, alone=True)
    assert found.intent is (Intent.MATCHING if topic else Intent.DOCUMENTS) and found.topic == topic


@pytest.mark.parametrize("message", DOCUMENTS)
@pytest.mark.parametrize("alone", [True, False])
def test_what_is_asked_of_the_documents(message: str, alone: bool) -> None:
    assert detect_intent(message, alone=alone).intent is Intent.DOCUMENTS


@pytest.mark.parametrize(
    ("message", "intent", "place"),
    [
        ("How many files are in the archive limit?", Intent.COUNT, "the archive limit"), ("How many files are in this collection?", Intent.COUNT, ""),
        ("How many documents are there in q-books?", Intent.COUNT, "q books"), ("Which files are in reports?", Intent.LIST_ALL, "reports"),
        ("Wie viele Dokumente gibt es in der Sammlung?", Intent.COUNT, ""), ("Wie viele Dateien sind in Berichte?", Intent.COUNT, "berichte"),
        ("Combien de fichiers y a-t-il dans rapports ?", Intent.COUNT, "rapports"),
        ("¿Cuántos documentos hay en informes?", Intent.COUNT, "informes"),
    ],
)  # fmt: skip
def test_where_documents_are_counted(message: str, intent: Intent, place: str) -> None:
    found = detect_intent(message, alone=True)
    assert (found.intent, found.place) == (intent, place)


def test_only_names_tell_whether_there_is_a_thing() -> None:
    """What has a thing as its topic is listed where documents are asked for; else the passages may tell more of it."""
    for message, titled in (
        ("Do you have a refund policy?", True), ("Which log files are there?", True), ("Do you have documents about refunds?", False),
        ("Hast du ein Rezept?", True), ("Avez-vous des documents sur les ports ?", False),
    ):  # fmt: skip
        found = detect_intent(message, alone=True)
        assert (found.intent, found.titled) == (Intent.MATCHING, titled), message


def test_each_language_has_all_replies() -> None:
    assert len({frozenset(phrases.replies) for phrases in LANGUAGES}) == 1
    assert all(set(phrases.talk) == set(Talk) for phrases in LANGUAGES)
