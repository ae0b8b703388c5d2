"""Outlook messages (.msg), by python-oxmsg: subject, people, date, body, then the attachments."""

from __future__ import annotations

from typing import BinaryIO

from oxmsg import Message

from anchorage.adapters.parsers.builder import DocumentBuilder, clean_text, fold_space
from anchorage.adapters.parsers.mail.mime import add_text
from anchorage.adapters.parsers.reading import Members
from anchorage.adapters.parsers.task import Task
from anchorage.adapters.parsers.web.html import parse_markup
from anchorage.model import BlockKind, ParsedDocument


def parse(file: BinaryIO, name: str, task: Task) -> ParsedDocument:
    """Raises `DocumentRefused`; attachments that cannot be read are listed in `skipped`."""
    message = Message.load(file)
    builder = DocumentBuilder(task.limit)
    members = Members(builder, task)
    subject = fold_space(message.subject or "")
    builder.add(BlockKind.HEADING, subject, 1)
    people = [f"{person.name} <{person.email_address}>" for person in message.recipients]
    lines = [("From", message.sender), ("To", ", ".join(people)), ("Date", message.sent_date)]
    builder.add(BlockKind.PARAGRAPH, "\n".join(f"{label}: {fold_space(str(text))}" for label, text in lines if text))
    if (message.body or "").strip():
        add_text(builder, clean_text(message.body or ""))
    elif message.html_body:
        builder.append(parse_markup(message.html_body, name, task.limit), 1)
    for number, attachment in enumerate(message.attachments, 1):
        members.add(attachment.file_name or f"attachment {number}", attachment.file_bytes or b"", level=2)
    return builder.finish(name, subject, members.metadata())
