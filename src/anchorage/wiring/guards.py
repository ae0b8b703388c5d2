"""Guards: the chain that the settings describe."""

from __future__ import annotations

from aiohttp import ClientSession

from anchorage.adapters.models.guard_models import ChatGuard, ModerationGuard
from anchorage.adapters.models.http import RetryPolicy
from anchorage.chat.safety.guard import Guards
from anchorage.errors import ConfigurationError
from anchorage.ports.guard import Guard
from anchorage.settings import Settings
from anchorage.wiring.providers import GUARD, configured_provider, endpoint_of, first_configured

_RULES = ("length", "secrets", "pii", "injection", "model")


def open_guards(settings: Settings, client: ClientSession) -> Guards:
    """The rules with their actions, and the guard's model where one is named. Raises `ConfigurationError`."""
    guard = settings.guard
    return Guards(
        question={name: getattr(guard, f"question_{name}") for name in _RULES},
        answer={name: getattr(guard, f"answer_{name}") for name in _RULES},
        max_question_chars=guard.max_question_chars,
        max_answer_chars=guard.max_answer_chars,
        hold=guard.hold == "auto",
        judge=_judge(settings, client),
        fails_open=guard.on_failure == "open",
    )


def _judge(settings: Settings, client: ClientSession) -> Guard | None:
    guard, llm = settings.guard, settings.llm
    if not guard.model:
        return None
    provider = guard.provider or ("compatible" if guard.base_url else configured_provider(llm))
    if provider in ("none", "langchain"):
        provider = first_configured(llm)
    if provider == "none":
        raise ConfigurationError(
            f"GUARD_MODEL is {guard.model!r}, but no server is named to ask for it. Set ANCHORAGE_GUARD__BASE_URL, or a provider."
        )
    moderates = guard.api == "moderation" or (guard.api == "auto" and "moderation" in guard.model.lower())
    kind = ModerationGuard if moderates else ChatGuard
    endpoint = endpoint_of(llm, provider, GUARD, guard.base_url, guard.api_key)
    return kind(client, endpoint, guard.model, guard.timeout, RetryPolicy(guard.retries))
