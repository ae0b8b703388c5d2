"""What a reader's Markdown makes of a text: an independent judge of whether it is inert."""

import re

from markdown_it import MarkdownIt
from markdown_it.token import Token

_ADDRESS = re.compile(r"(?:https?|ftp)://\S|(?<![A-Za-z0-9])www\.\w", re.IGNORECASE)
_READERS = [MarkdownIt("commonmark", {"html": True}), MarkdownIt("commonmark", {"html": True}).enable("table")]


def active(text: str) -> list[str]:
    """Links, images, HTML, and addresses that readers make links of."""
    return [found for reader in _READERS for token in reader.parse(text) for found in _active(token)]


def _active(token: Token) -> list[str]:
    if token.type in ("link_open", "image", "html_inline", "html_block"):
        return [f"{token.type} {token.attrs or token.content}"]
    if token.type == "text" and _ADDRESS.search(token.content):
        return [f"address {token.content}"]
    return [found for child in token.children or () for found in _active(child)]
