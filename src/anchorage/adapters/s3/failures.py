"""Translates S3's errors into ours: what happened to what, and what to do. No message holds a key or a signature."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from anchorage.errors import (
    AnchorageError,
    BadRequest,
    ConfigurationError,
    DocumentRefused,
    NotAllowed,
    NotFound,
    Unavailable,
)

_CREDENTIALS = "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or LINODE_OBJECT_STORAGE_ACCESS_KEY and _SECRET_KEY"
_ENDPOINT = "AWS_ENDPOINT_URL or LINODE_OBJECT_STORAGE_ENDPOINT"
_UNKNOWN_KEY = f"the access key is not known there. {_CREDENTIALS}, and that they belong to this endpoint."
_REFUSALS = {
    "InvalidAccessKeyId": _UNKNOWN_KEY,
    "XAdminUserNotFound": _UNKNOWN_KEY,  # what versitygw calls it, with status 404
    "SignatureDoesNotMatch": f"the secret key does not fit the access key. {_CREDENTIALS}.",
    "ExpiredToken": "the credentials have expired. Renew them, or use a role that renews them by itself.",
    "ExpiredTokenException": "the credentials have expired. Renew them, or use a role that renews them by itself.",
    "InvalidToken": "the session token is wrong. Check AWS_SESSION_TOKEN, or unset it.",
    "RequestTimeTooSkewed": "this machine's clock differs from the server's. Set the clock.",
}
_DENIED = (
    "these credentials may not do that. Allow them s3:ListBucket on the bucket and s3:GetObject on its objects (for originals also "
    f"s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload). {_CREDENTIALS}."
)
_GONE = {"NoSuchKey", "NoSuchVersion"}
_CHANGED = {"PreconditionFailed", "InvalidRange", "ConditionalRequestConflict"}
_OTHER_REGION = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301"}
_ARCHIVED = {"InvalidObjectState", "InvalidObjectStateException"}
_BUSY = {"SlowDown", "Throttling", "ThrottlingException", "RequestTimeout", "RequestLimitExceeded", "TooManyRequests"}
_WRONG_SETTINGS = (
    "ProfileNotFound", "ConfigParseError", "ConfigNotFound", "NoCredentialsError", "PartialCredentialsError",
    "InvalidRegionError", "NoRegionError", "UnknownCredentialError", "InfiniteLoopConfigError", "InvalidConfigError",
    "MissingDependencyException",
)  # fmt: skip
_LOGIN = (
    "CredentialRetrievalError", "MetadataRetrievalError", "SSOError", "TokenRetrievalError", "NoAuthTokenError",
    "RefreshWithMFAUnsupportedError", "LoginError", "UnauthorizedSSOTokenError",
)  # fmt: skip


@contextmanager
def translate_errors(what: str, bucket: str, endpoint: str) -> Iterator[None]:
    """Translate what the client library raises into an `AnchorageError` about `what`."""
    try:
        yield
    except AnchorageError:  # first: where the library is missing, its errors cannot be named
        raise
    except load_error_types() as error:
        raise translate_error(error, what, bucket, endpoint) from error


def load_error_types() -> tuple[type[Exception], ...]:
    """Load the types of all errors that the client library raises."""
    from aiohttp import ClientError as HttpError
    from botocore.exceptions import BotoCoreError, ClientError

    return (ClientError, BotoCoreError, HttpError, OSError, TimeoutError)  # OSError: TLS and sockets


def translate_error(error: Exception, what: str, bucket: str, endpoint: str) -> AnchorageError:
    """Our error for one of the library's. It leaves out the library's texts, since they may quote requests."""
    from botocore.exceptions import ClientError

    if isinstance(error, ClientError):
        return _translate_response(error.response, what, bucket, endpoint)
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if kinds & set(_WRONG_SETTINGS):
        return ConfigurationError(
            f"{what}: no usable S3 credentials or profile ({type(error).__name__}). Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            "AWS_PROFILE, or LINODE_OBJECT_STORAGE_*; for a public bucket, ANCHORAGE_S3__ANONYMOUS=true."
        )
    if kinds & set(_LOGIN):
        return NotAllowed(
            f"{what}: S3 credentials could not be had from where AWS's configuration points ({type(error).__name__}). Log in again, or "
            "check the role of this machine."
        )
    if "ParamValidationError" in kinds:
        return BadRequest(f"{what}: S3 cannot take this name. Check the bucket's name.")
    if "SSLError" in kinds or "ClientSSLError" in kinds:
        return Unavailable(
            f"{what}: {endpoint} showed a certificate that is not trusted. AWS_CA_BUNDLE names a file of further authorities."
        )
    if isinstance(error, TimeoutError) or "ReadTimeoutError" in kinds or "ConnectTimeoutError" in kinds:
        return Unavailable(
            f"{what}: {endpoint} did not answer in time. Try again later; ANCHORAGE_S3__READ_TIMEOUT, __REQUEST_TIMEOUT and "
            "__TRANSFER_TIMEOUT set how long to wait."
        )
    return Unavailable(
        f"{what}: {endpoint} cannot be reached or broke off ({type(error).__name__}). Check {_ENDPOINT} and the network, and try again."
    )


def _translate_response(response: dict[str, Any], what: str, bucket: str, endpoint: str) -> AnchorageError:
    code = str(response.get("Error", {}).get("Code", ""))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    if code == "NoSuchBucket":
        return NotFound(
            f"{what}: there is no bucket {bucket!r} at {endpoint}. Check its name, and whether it is at another endpoint ({_ENDPOINT})."
        )
    if code in _GONE:
        return NotFound(f"{what} is gone: it was removed or renamed.")
    if code in _CHANGED or status in (409, 412, 416):
        return Unavailable(f"{what} changed while it was read. It is read again when it has come to rest.")
    if code in _ARCHIVED:
        return DocumentRefused("archived", f"{what} is archived. Restore it in S3, then ingest it again.")
    if code in _OTHER_REGION or status in (301, 307):
        return ConfigurationError(
            f"{what}: the bucket {bucket!r} is in another region than the one set. Set AWS_REGION to the bucket's, and check {_ENDPOINT}."
        )
    if status in (401, 403) or code in _REFUSALS or code == "AccessDenied":
        return NotAllowed(f"{what}: {endpoint} refused: {_REFUSALS.get(code, _DENIED)}")
    if status == 507 or code in ("QuotaExceeded", "XMinioStorageFull"):
        return Unavailable(f"{what}: {endpoint} has no room left. Free space there, or raise its quota.")
    if status in (429, 503) or code in _BUSY:
        return Unavailable(f"{what}: {endpoint} asks to slow down and still did after some retries. Try again later.")
    if (
        status >= 500 or status == 404
    ):  # a 404 that names nothing may come from something before S3: nothing is known to be gone
        return Unavailable(f"{what}: {endpoint} failed ({status} {code}). Try again later, and check {_ENDPOINT}.")
    return BadRequest(
        f"{what}: {endpoint} does not take the request ({status} {code}). Check the bucket and {_ENDPOINT}."
    )
