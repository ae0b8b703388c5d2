"""Removes characters that models read and people do not see, before a model or a reader gets a text."""

from __future__ import annotations

import re

# Controls save tab and line feed; soft hyphen, joiners, fillers; zero width, bidirectional marks; variation selectors;
# byte order mark; interlinear annotation; the tag block, in which whole sentences can be hidden.
_HIDDEN_CHARACTERS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Persian, Arabic and the scripts of India spell with joiners. A single one between their letters hides nothing.
_SPELLING_JOINER = re.compile("(?<=[\u0600-\u0dff])[\u200c\u200d](?=[\u0600-\u0dff])")
# The scripts of Thailand, Laos, Myanmar and Cambodia put no space between words. Some texts put a zero-width space there.
_UNSPACED_SCRIPTS = "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]"
_ZERO_WIDTH_SPACE = re.compile(f"(?<={_UNSPACED_SCRIPTS})\u200b(?={_UNSPACED_SCRIPTS})")
_PLACEHOLDERS = re.compile("[\ue200\ue201]")


def strip_hidden_characters(text: str) -> str:
    """Return the text without hidden characters. Offsets change, so use it for showing and reading, never for citing."""
    if text.isascii() and text.isprintable():
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    if "\u200c" not in text and "\u200d" not in text:
        return _HIDDEN_CHARACTERS.sub("", text)
    # Replace joiners that belong to the spelling by private characters while the others are removed.
    text = _PLACEHOLDERS.sub("", text)
    text = _SPELLING_JOINER.sub(lambda match: "\ue200" if match.group() == "\u200c" else "\ue201", text)
    return _HIDDEN_CHARACTERS.sub("", text).replace("\ue200", "\u200c").replace("\ue201", "\u200d")


def replace_zero_width_spaces(text: str) -> str:
    """Put a space where a zero-width space separates two words. The index splits words there too."""
    return _ZERO_WIDTH_SPACE.sub(" ", text)
