"""Conversations as files."""

from datetime import UTC, datetime

from anchorage.faces.http.conversations import _format_markdown
from anchorage.model import Citation, Conversation, Turn
from support.markdown import active


def test_what_documents_say_is_inert_in_an_exported_conversation() -> None:
    now = datetime.now(UTC)
    cited = Citation(
        1, "It is.", "d", "v", "file:///a", "![t](u) <b>", 0, 1, "It ![x](https://e.com/a.png)\nis.", "", ""
    )
    text = _format_markdown(
        Conversation("c", "Title", 1, now, now), [Turn(1, "m", "Is it?", "It is [1].", citations=(cited,))]
    )
    assert not [found for found in active(text) if "file:///a" not in found]
    assert "“It ![x] (`https://e.com/a.png`) is.”" in text
