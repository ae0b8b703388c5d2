"""Bytes to text: byte order mark, declared encoding, UTF-8, then detection."""

from __future__ import annotations

import codecs

from charset_normalizer import from_bytes

from anchorage.errors import DocumentRefused

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
          (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip
_SAMPLE = 64 * 1024
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\x1b")) + b"\x7f"


def has_byte_order_mark(data: bytes) -> bool:
    """Whether the bytes begin with a byte order mark."""
    return any(data.startswith(mark) for mark, _ in _MARKS)


def detect_wide_encoding(data: bytes) -> str | None:
    """UTF-16 without a mark: nearly every other byte of Western text is zero then."""
    sample = data[:_SAMPLE]
    if len(sample) < 8:
        return None
    even, odd = sample[::2].count(0) / len(sample[::2]), sample[1::2].count(0) / len(sample[1::2])
    if odd > 0.4 and even < 0.05:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 and odd < 0.05 else None


def is_binary(data: bytes) -> bool:
    """Whether the bytes are no text in any encoding."""
    sample = data[:_SAMPLE]
    if has_byte_order_mark(sample) or detect_wide_encoding(sample):
        return False
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    return b"\0" in sample or controls > len(sample) * 0.05


def decode_text(data: bytes, name: str, declared: str | None = None) -> str:
    """The text of the bytes. Raises `DocumentRefused` when they are no text."""
    if is_binary(data):
        raise DocumentRefused("binary", f"{name} holds binary data, not text. Convert it to a supported format first.")
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    for candidate in (detect_wide_encoding(data), "utf-8", declared):
        text = _decode_strictly(data, candidate)
        if text is not None:
            return text
    best = from_bytes(data[: 4 * _SAMPLE]).best()
    return data.decode(best.encoding if best else "cp1252", "replace")


def _decode_strictly(data: bytes, encoding: str | None) -> str | None:
    if not encoding:
        return None
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None
