"""Guard models over HTTP: classification through chat completions, as Llama Guard does it, and the moderation endpoint."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession

from anchorage.adapters.models.calls import JsonCall
from anchorage.adapters.models.endpoint import Endpoint
from anchorage.adapters.models.http import CallFailed, RetryPolicy, make_format_error, parse_usage, ping_server
from anchorage.errors import ConfigurationError, ModelError
from anchorage.ports.guard import Verdict

_CHAT_PATH = "chat/completions"
_MODERATIONS_PATH = "moderations"
_TIMEOUT_SETTING = "ANCHORAGE_GUARD__TIMEOUT"
_CATEGORY = re.compile(r"\bS\d{1,2}\b")
# The hazards that Llama Guard 3 and 4 tell apart (their model cards; MLCommons' taxonomy).
_HAZARDS = {
    "S1": "violent crimes", "S2": "non-violent crimes", "S3": "sex-related crimes", "S4": "child sexual exploitation",
    "S5": "defamation", "S6": "specialized advice", "S7": "privacy", "S8": "intellectual property",
    "S9": "indiscriminate weapons", "S10": "hate", "S11": "suicide and self-harm", "S12": "sexual content", "S13": "elections",
    "S14": "code interpreter abuse",
}  # fmt: skip


@dataclass(frozen=True)
class _HttpGuard:
    """What both guards share. The caller owns the client, which others use too."""

    client: ClientSession = field(repr=False)
    endpoint: Endpoint
    model: str
    timeout: float = 5.0
    retry: RetryPolicy = field(default_factory=lambda: RetryPolicy(1))
    ping_timeout: float = 2.0

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise ConfigurationError(
                f"No guard model is named for the model server at {self.endpoint.shown}. Set {self.endpoint.model_setting}."
            )

    async def ping(self) -> str:
        """See `http.ping_server`: no paid call."""
        return await ping_server(self.client, self.endpoint, self.ping_timeout)

    async def _request_verdict(self, path: str, payload: Mapping[str, Any]) -> Any:
        call = JsonCall(self.client, self.endpoint, path, self.model, self.timeout, _TIMEOUT_SETTING, self.retry)
        attempt = 0
        while True:
            try:
                return await call.request_once(payload, "verdict")
            except CallFailed as failed:
                await call.back_off(failed, attempt)
                attempt += 1


@dataclass(frozen=True)
class ChatGuard(_HttpGuard):
    """A `Guard` that answers `safe`, or `unsafe` with its categories on the next line: Llama Guard and its kin.

    The chat template at the server puts the policy around the messages; the last one is what is judged.
    """

    async def judge(self, question: str, answer: str | None = None) -> Verdict:
        messages = [{"role": "user", "content": question}]
        if answer is not None:
            messages.append({"role": "assistant", "content": answer})
        payload = {"model": self.model, "messages": messages, "max_tokens": 64, "temperature": 0}
        reply = await self._request_verdict(_CHAT_PATH, payload)
        try:
            reply_text = reply["choices"][0]["message"]["content"].strip()
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise make_format_error(self.endpoint, b"").error from error
        first = reply_text.lower().split(None, 1)[0] if reply_text else ""
        if first not in ("safe", "unsafe"):
            raise ModelError(
                f"The guard model {self.model!r} at {self.endpoint.shown} said neither safe nor unsafe. Check that GUARD_MODEL "
                "names a model that classifies, such as Llama-Guard."
            )
        usage = parse_usage(self.model, reply.get("usage"))
        if first == "safe":
            return Verdict(True, usage=usage)
        found = dict.fromkeys(_CATEGORY.findall(reply_text))
        why = ", ".join(f"{_HAZARDS[name]} ({name})" if name in _HAZARDS else name for name in found)
        return Verdict(False, why or "it unsafe", usage)


@dataclass(frozen=True)
class ModerationGuard(_HttpGuard):
    """A `Guard` over OpenAI's `POST /moderations` and what is like it. An answer is judged by itself."""

    async def judge(self, question: str, answer: str | None = None) -> Verdict:
        reply = await self._request_verdict(
            _MODERATIONS_PATH, {"model": self.model, "input": question if answer is None else answer}
        )
        try:
            result = reply["results"][0]
            flagged = result["flagged"]
            if not isinstance(flagged, bool):
                raise TypeError("flagged is neither true nor false")
            found = sorted(name for name, held in result.get("categories", {}).items() if held is True)
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise make_format_error(self.endpoint, b"").error from error
        return Verdict(
            not flagged,
            ", ".join(found) or ("it unsafe" if flagged else ""),
            parse_usage(self.model, reply.get("usage")),
        )
