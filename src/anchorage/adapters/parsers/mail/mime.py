"""E-mail (.eml, .mbox), by the standard library: subject, people, date, body, then the attachments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO

from anchorage.adapters.parsers.builder import DocumentBuilder, clean_text, fold_space
from anchorage.adapters.parsers.reading import Members
from anchorage.adapters.parsers.task import Task
from anchorage.adapters.parsers.text.encoding import decode_text, detect_wide_encoding, has_byte_order_mark
from anchorage.adapters.parsers.web.html import parse_markup
from anchorage.errors import DocumentRefused
from anchorage.model import BlockKind, ParsedDocument

_MBOX = re.compile(rb"^From [^\r\n]*\r?\n(?=[\w-]+:)", re.MULTILINE)
_LOCKED = {"multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"}
_MAX_PARTS = 1_000


def parse(file: BinaryIO, name: str, task: Task) -> ParsedDocument:
    """Raises `DocumentRefused`; attachments that cannot be read are listed in `skipped`."""
    data = file.read()
    if has_byte_order_mark(data) or detect_wide_encoding(data):
        data = decode_text(data, name).encode()
    builder = DocumentBuilder(task.limit)
    members = Members(builder, task)
    starts = [found.end() for found in _MBOX.finditer(data)] if data.startswith(b"From ") else []
    ends = [*[found.start() for found in _MBOX.finditer(data)][1:], len(data)] if starts else [len(data)]
    locked, subjects = 0, []
    for start, end in zip(starts or [0], ends, strict=True):
        message = message_from_bytes(data[start:end], policy=policy.default)
        if not message.keys() and len(ends) == 1:
            raise DocumentRefused(
                "corrupt", f"{name} is not an e-mail that can be read: it has no header. Save it again."
            )
        subjects.append(read_header(message, "subject"))
        if is_locked(message):
            locked += 1
        add_message(builder, members, message, task)
    if locked == len(ends):
        raise DocumentRefused("encrypted", f"{name} is an encrypted e-mail. Save it decrypted.")
    title = subjects[0] if len(subjects) == 1 else name.rsplit(".", 1)[0]
    return builder.finish(name, title, {**({"messages": len(ends)} if starts else {}), **members.metadata()})


def is_locked(message: EmailMessage) -> bool:
    """Whether a message can only be read with its receiver's key."""
    kind = message.get_content_type()
    return kind in _LOCKED and message.get_param("smime-type") not in ("signed-data", "certs-only")


def add_message(builder: DocumentBuilder, members: Members, message: EmailMessage, task: Task) -> None:
    """A message: its subject as heading, who and when, its text, its attachments."""
    builder.add(BlockKind.HEADING, read_header(message, "subject"), 1)
    lines = [(label, read_header(message, label.lower())) for label in ("From", "To", "Cc", "Date")]
    builder.add(BlockKind.PARAGRAPH, "\n".join(f"{label}: {text}" for label, text in lines if text))
    if is_locked(message):
        return
    body, attachments = _split_parts(message)
    _add_body(builder, body, task)
    for number, part in enumerate(attachments, 1):
        name, data = _read_attachment(part, number)
        members.add(name, data, level=2)


def read_header(message: EmailMessage, name: str) -> str:
    """A header's text on one line; empty where there is none or it is broken."""
    try:
        text = fold_space(str(message.get(name, "")))
    except (MessageError, ValueError, LookupError, IndexError, AttributeError, TypeError):
        text = fold_space(dict(message.raw_items()).get(name.title(), ""))
    if name == "date":
        try:
            return parsedate_to_datetime(text).isoformat(" ", "minutes")
        except ValueError:
            return text
    return text


def _list_leaves(message: Any) -> Iterator[Any]:
    """Parts that are not made of parts; an enclosed message is one."""
    if message.get_content_maintype() == "multipart" and message.is_multipart():
        for part in message.get_payload():
            yield from _list_leaves(part)
    else:
        yield message


def _split_parts(message: EmailMessage) -> tuple[list[Any], list[Any]]:
    """(texts of the body, attachments)."""
    body: list[Any] = []
    attachments: list[Any] = []
    for part in list(_list_leaves(message))[:_MAX_PARTS]:
        kind = part.get_content_type()
        shown = kind in ("text/plain", "text/html") and part.get_content_disposition() != "attachment"
        if shown and not (part.get_filename() and body):
            body.append(part)
        elif kind not in ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"):
            attachments.append(part)
    return body, attachments


def _add_body(builder: DocumentBuilder, parts: list[Any], task: Task) -> None:
    """Plain texts, and the HTML ones where they say more than those."""
    plain = [clean_text(_read_text(part)) for part in parts if part.get_content_type() == "text/plain"]
    known = set(" ".join(plain).lower().split())
    for part in parts:
        if part.get_content_type() == "text/html":
            try:
                page = parse_markup(_read_text(part), "The body", task.limit)
            except DocumentRefused as refusal:
                if refusal.code != "no_text":
                    raise
                continue
            words = set(page.text.lower().split())
            if len(words - known) * 2 > len(words):
                builder.append(page, 1)
    for text in plain:
        add_text(builder, text)


def add_text(builder: DocumentBuilder, text: str) -> None:
    """Paragraphs, parted by blank lines."""
    for paragraph in re.split(r"\n(?:[ \t]*\n)+", text):
        builder.add(BlockKind.PARAGRAPH, paragraph)


def _read_text(part: Any) -> str:
    data = _read_bytes(part)
    try:
        return decode_text(data, "A part of the message", part.get_content_charset())
    except DocumentRefused:
        return data.decode("latin-1")


def _read_bytes(part: Any) -> bytes:
    if part.is_multipart():  # an enclosed message
        return b"\n".join(inner.as_bytes() for inner in part.get_payload())
    try:
        return part.get_payload(decode=True) or b""
    except (LookupError, ValueError, UnicodeError):
        payload = part.get_payload()
        return payload.encode("utf-8", "replace") if isinstance(payload, str) else b""


def _read_attachment(part: Any, number: int) -> tuple[str, bytes]:
    name = fold_space(part.get_filename() or "")
    kind = part.get_content_type()
    if kind == "message/rfc822":
        return name or f"message {number}.eml", _read_bytes(part)
    if not name:
        ending = {"text/plain": ".txt", "text/html": ".html"}.get(kind, "." + kind.rsplit("/", 1)[-1])
        name = f"attachment {number}{ending}"
    return name, _read_bytes(part)
