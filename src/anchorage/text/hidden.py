"""Characters that readers do not see and models do: what they hide is taken out before a model or a reader gets a text."""

from __future__ import annotations

import re

# Controls save tab and line feed; soft hyphen, joiners, fillers; zero width, bidirectional marks; variation selectors;
# byte order mark; interlinear annotation; the tag block, in which whole sentences can be hidden.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Persian, Arabic and the scripts of India spell with joiners; between their letters, a single one is no hiding place.
_SPELLING = re.compile("(?<=[\u0600-\u0dff])[\u200c\u200d](?=[\u0600-\u0dff])")
# The scripts of Thailand, Laos, Myanmar and Cambodia have no spaces between words, and may part them by this.
_PARTED = "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]"
_PARTING = re.compile(f"(?<={_PARTED})\u200b(?={_PARTED})")
_KEPT = re.compile("[\ue200\ue201]")


def visible(text: str) -> str:
    """The text without hidden characters. Offsets change: for showing and reading, never for citing."""
    if text.isascii() and text.isprintable():
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    if "\u200c" not in text and "\u200d" not in text:
        return _HIDDEN.sub("", text)
    # Joiners that spell wait as private characters while the rest is removed.
    text = _KEPT.sub("", text)
    text = _SPELLING.sub(lambda match: "\ue200" if match.group() == "\u200c" else "\ue201", text)
    return _HIDDEN.sub("", text).replace("\ue200", "\u200c").replace("\ue201", "\u200d")


def parted(text: str) -> str:
    """The text with spaces where an invisible one parts words, as the index parts them there."""
    return _PARTING.sub(" ", text)
