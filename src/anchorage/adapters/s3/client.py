"""The S3 client: one pool of connections, with time limits, retries and errors of our own."""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from anchorage.adapters.s3.failures import translate_errors
from anchorage.adapters.s3.place import Place
from anchorage.errors import ConfigurationError

_SPARE_CONNECTIONS = 4  # for listings and questions beside the transfers
_DEFAULT_REGION = "us-east-1"  # what S3-compatible servers expect where they know no regions


@dataclass(frozen=True, slots=True)
class S3Config:
    """How to reach an S3 server; times are seconds. Without keys, AWS's own chain finds them: profile, web identity, role."""

    endpoint: str | None = None
    region: str | None = None
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    anonymous: bool = False
    addressing: str = "auto"
    concurrency: int = 16
    connect_timeout: float = 5
    read_timeout: float = 30
    request_timeout: float = 60
    transfer_timeout: float = 600
    retries: int = 4

    @property
    def endpoint_url(self) -> str | None:
        """The endpoint with its scheme; None for AWS. Raises `ConfigurationError`."""
        if not self.endpoint:
            return None
        url = self.endpoint if "://" in self.endpoint else f"https://{self.endpoint}"
        try:
            parts = urlsplit(url)
            valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 0) >= 0
        except ValueError:
            valid = False
        if not valid or "@" in parts.netloc:  # not shown: it may hold a password
            raise ConfigurationError(
                "The S3 endpoint is no address of a server. Set AWS_ENDPOINT_URL (or LINODE_OBJECT_STORAGE_ENDPOINT) to one like "
                "https://us-east-1.linodeobjects.com, without a user or a password."
            )
        return url.rstrip("/")

    @property
    def shown(self) -> str:
        """The endpoint, for messages; without what cannot be one, since it may hold a password."""
        try:
            return self.endpoint_url or "AWS S3"
        except ConfigurationError:
            return "the S3 endpoint"


class S3:
    """A client that connects when it is first needed. `slots` bounds the transfers that run at once."""

    def __init__(self, config: S3Config) -> None:
        self.config = config
        self.slots = asyncio.Semaphore(config.concurrency)
        self._client: Any = None
        self._opening = asyncio.Lock()
        self._stack = AsyncExitStack()

    def translate_errors(self, what: str, bucket: str) -> AbstractContextManager[None]:
        """Translate the library's errors into ours within this context."""
        return translate_errors(what, bucket, self.config.shown)

    async def call_library(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Make one request, with the library's retries. Raises the library's errors."""
        async with self._opening:
            if self._client is None:
                self._client = await self._stack.enter_async_context(await _create_client(self.config))
        answer: dict[str, Any] = await getattr(self._client, operation)(**parameters)
        return answer

    async def call(
        self, operation: str, what: str, bucket: str, *, seconds: float | None = None, **parameters: Any
    ) -> dict[str, Any]:
        """Make one request about `what` within `seconds`, retries included. Raises our own errors."""
        with self.translate_errors(what, bucket):
            async with asyncio.timeout(seconds or self.config.request_timeout):
                return await self.call_library(operation, Bucket=bucket, **parameters)

    async def head_object(self, place: Place) -> dict[str, Any] | None:
        """Read the metadata of an object; None when the object or its bucket does not exist, which this answer cannot tell apart."""
        with self.translate_errors(place.uri, place.bucket):
            async with asyncio.timeout(self.config.request_timeout):
                try:
                    return await self.call_library("head_object", Bucket=place.bucket, Key=place.key)
                except Exception as error:
                    if getattr(error, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:
                        return None
                    raise

    async def close(self) -> None:
        """Close the connections."""
        await self._stack.aclose()


@asynccontextmanager
async def open_s3(config: S3Config) -> AsyncIterator[S3]:
    """A client to use until the context ends.

    What is wrong with the settings, or that the library is not installed, shows as `ConfigurationError` at the first request.
    """
    s3 = S3(config)
    try:
        yield s3
    finally:
        await s3.close()


async def _create_client(config: S3Config) -> Any:
    if bool(config.access_key) != bool(config.secret_key):
        raise ConfigurationError(
            "S3 needs the access key and the secret key together: AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, or "
            "LINODE_OBJECT_STORAGE_ACCESS_KEY with LINODE_OBJECT_STORAGE_SECRET_KEY."
        )
    endpoint = config.endpoint_url
    try:
        library = await asyncio.to_thread(importlib.import_module, "aiobotocore.session")  # takes about a second
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "S3 needs a library that is not installed. Install Anchorage with its extra `s3`."
        ) from error
    for name in ("botocore", "aiobotocore"):
        logging.getLogger(name).setLevel(logging.WARNING)  # at DEBUG they write whole requests, tokens and all
    session = library.get_session()
    # Parsing times was two thirds of the work of listing, all of it between two turns of the event loop.
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_parse_timestamp)
    return session.create_client(
        "s3",
        endpoint_url=endpoint,
        region_name=config.region or session.get_config_variable("region") or (_DEFAULT_REGION if endpoint else None),
        aws_access_key_id=config.access_key,
        aws_secret_access_key=config.secret_key,
        aws_session_token=config.session_token if config.access_key else None,
        config=_build_options(config),
    )


def _parse_timestamp(text: str | float) -> datetime:
    """Parse a time as S3 or the credential services write it."""
    from botocore.utils import parse_timestamp

    try:
        read = datetime.fromisoformat(text)  # type: ignore[arg-type]
        if read.tzinfo is not None:
            return read
    except (TypeError, ValueError):
        pass
    slow: datetime = parse_timestamp(text)
    return slow


def _build_options(config: S3Config) -> Any:
    from aiobotocore.config import AioConfig
    from botocore import UNSIGNED

    # Many servers know their buckets by path only; AWS wants them in the host name.
    path = config.addressing == "path" or (config.addressing == "auto" and config.endpoint and not _is_aws(config))
    return AioConfig(
        s3={"addressing_style": "path" if path else config.addressing},
        signature_version=UNSIGNED if config.anonymous else "s3v4",
        connect_timeout=config.connect_timeout,
        read_timeout=config.read_timeout,
        retries={"mode": "standard", "total_max_attempts": config.retries + 1},
        max_pool_connections=config.concurrency + _SPARE_CONNECTIONS,
        # AWS's newer checksums are an error to servers that do not know them; we compare lengths, ETags and our own hashes.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        warm_up_loader_caches=True,
    )


def _is_aws(config: S3Config) -> bool:
    host = urlsplit(config.endpoint_url or "").hostname or ""
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn"))
