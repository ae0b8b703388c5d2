"""Where something is on S3: a bucket with a prefix or a key, and the URI of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from anchorage.errors import BadRequest

_SCHEME = "s3://"
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")  # looser than AWS's rule: other servers have older ones
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket and a key, or the start of keys; keys are any Unicode text, and `/` in them has no meaning to S3."""

    bucket: str
    key: str = ""

    @property
    def uri(self) -> str:
        """`s3://bucket/key`, with everything percent-encoded that a URI may not hold."""
        return f"{_SCHEME}{self.bucket}/{quote(self.key, safe='/')}"

    @property
    def name(self) -> str:
        """The last part of the key, for people and parsers; never a path, and without control characters."""
        last = self.key.rstrip("/").rsplit("/", 1)[-1]
        return "object" if last in ("", ".", "..") else _CONTROL.sub("\ufffd", last)

    @classmethod
    def parse(cls, location: str, default_bucket: str | None = None) -> Place:
        """Read `s3://bucket/key`, percent-encoded or not; a percent sign itself is `%25`. `s3:///key` takes the default bucket.

        Raises `BadRequest`.
        """
        bucket, _, key = location.removeprefix(_SCHEME).partition("/")
        bucket = bucket or default_bucket or ""
        if not location.startswith(_SCHEME) or not _BUCKET.fullmatch(bucket):
            raise BadRequest(f"{location} names no bucket. Write s3://BUCKET or s3://BUCKET/PREFIX/.")
        return cls(bucket, unquote(key))
