"""Documents in a language that an embedder does not know."""

import pytest

from anchorage.ingest.language import warn_of_unknown_language
from anchorage.model import EmbedderSpec

GERMAN = "Der Hafen wurde im Jahr 1827 eröffnet und hat drei Becken, die durch einen Kanal mit dem Meer verbunden sind."
ENGLISH = "The harbour was opened in 1827 and has three docks, which a canal connects with the sea."


@pytest.mark.parametrize(
    ("model", "text", "told"),
    [
        ("all-MiniLM-L6-v2", GERMAN, "It is in German"),
        ("all-MiniLM-L6-v2", "تم افتتاح الميناء في عام 1827 وله ثلاثة أحواض.", "not the Latin one"),
        ("all-MiniLM-L6-v2", ENGLISH, None),
        ("all-MiniLM-L6-v2", "TOTAL 9.00", None),
        ("BAAI/bge-small-en-v1.5", GERMAN, "It is in German"),
        ("ollama/all-minilm:latest", GERMAN, "It is in German"),
        ("multilingual-e5-small", GERMAN, None),
        ("nomic-embed-text-v2-moe", GERMAN, None),
        ("text-embedding-3-small", GERMAN, None),
    ],
)
def test_a_language_that_the_embedder_does_not_know_is_told(model: str, text: str, told: str | None) -> None:
    found = warn_of_unknown_language(text, EmbedderSpec(model, "1", 384, "int8"), "city")
    assert (found is None) == (told is None)
    if found is not None and told is not None:
        assert told in found and "anchorage reindex city" in found
