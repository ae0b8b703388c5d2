"""Any provider that LangChain knows, behind our ports. LangChain and the provider's package load at their first use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from numpy.typing import NDArray

from anchorage.adapters.models.vectors import estimate_token_starts, make_unit_vectors, truncate_to_tokens
from anchorage.errors import AnchorageError, ConfigurationError, ModelError, ModelUnavailable
from anchorage.model import EmbedderSpec, Message, Usage
from anchorage.ports.embedder import Vectors

_TEMPORARY = ("timeout", "connect", "ratelimit", "unavailable", "overloaded", "internalserver", "apistatus")


def _load_model(module: str, function: str, model: str, **options: Any) -> Any:
    """Open the model `provider:model` with LangChain. Raises `ConfigurationError` that says what to install or set."""
    from importlib import import_module

    try:
        return getattr(import_module(module), function)(model, **options)
    except ImportError as error:
        raise ConfigurationError(
            f"The LangChain provider of {model!r} is not installed: {error}. Install `anchorage[langchain]` and the provider's "
            "package, such as langchain-anthropic."
        ) from error
    except Exception as error:  # each provider raises its own; the text names the missing key or the unknown provider
        raise ConfigurationError(
            f"LangChain cannot open {model!r} ({type(error).__name__}). Name it as `provider:model` in LLM_MODEL or "
            "EMBEDDING_MODEL, and set the provider's own key."
        ) from error


def _translate_error(error: Exception, model: str) -> AnchorageError:
    """Our error for a provider's. Providers share no error classes, so the class name decides what is temporary."""
    name = type(error).__name__
    if isinstance(error, TimeoutError | ConnectionError) or any(word in name.lower() for word in _TEMPORARY):
        return ModelUnavailable(
            f"The model {model!r} did not answer ({name}). Try again; if it stays, look at its provider's status."
        )
    return ModelError(f"The model {model!r} refused the request ({name}). Check its name, its key and its limits.")


class LangChainGenerator:
    """A `Generator` over a LangChain chat model."""

    def __init__(self, chat: Any, model: str, *, timeout: float) -> None:
        self._chat, self._model, self._timeout = chat, model, timeout

    @classmethod
    def open(cls, model: str, *, temperature: float, max_tokens: int, timeout: float) -> LangChainGenerator:
        """Raises `ConfigurationError`."""
        options = {"temperature": temperature, "max_tokens": max_tokens}
        return cls(_load_model("langchain.chat_models", "init_chat_model", model, **options), model, timeout=timeout)

    @property
    def model(self) -> str:
        return self._model

    async def stream(self, messages: Sequence[Message], *, max_tokens: int | None = None) -> AsyncIterator[str | Usage]:
        thread = [{"role": message.role, "content": message.content} for message in messages]
        usage = Usage(self._model)
        try:
            async with aclosing(self._chat.astream(thread)) as pieces:
                while True:
                    async with asyncio.timeout(self._timeout):
                        piece = await anext(pieces, None)
                    if piece is None:
                        break
                    counts = getattr(piece, "usage_metadata", None) or {}
                    usage = Usage(self._model, usage.prompt_tokens + counts.get("input_tokens", 0),
                                  usage.completion_tokens + counts.get("output_tokens", 0),
                                  usage.cut or _is_cut_off(piece))  # fmt: skip
                    if text := _extract_text(piece.content):
                        yield text
        except AnchorageError:
            raise
        except Exception as error:
            raise _translate_error(error, self._model) from error
        yield usage

    async def ping(self) -> str:
        """LangChain has no free call: that the model could be opened is all that is known."""
        return "available"


def _is_cut_off(piece: Any) -> bool:
    """Whether the answer ends here because of its limit, in the words of OpenAI and Google, Anthropic, or Ollama."""
    said = getattr(piece, "response_metadata", None) or {}
    ends = (said.get("finish_reason"), said.get("stop_reason"), said.get("done_reason"))
    return any(str(end).lower() in ("length", "max_tokens") for end in ends)


def _extract_text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part if isinstance(part, str) else part.get("text") or "" for part in content or ())


class LangChainEmbedder:
    """An `Embedder` over LangChain embeddings. Build with `open`, which asks once for the dimension where it is not set."""

    def __init__(
        self, embeddings: Any, model: str, dimension: int, *, max_tokens: int, batch_size: int, timeout: float
    ) -> None:
        self._embeddings, self._model, self._dimension = embeddings, model, dimension
        self._max_tokens, self._batch_size, self._timeout = max_tokens, batch_size, timeout

    @classmethod
    async def open(
        cls, model: str, *, dimension: int | None, max_tokens: int, batch_size: int, timeout: float
    ) -> LangChainEmbedder:
        """Raises `ConfigurationError`, `ModelUnavailable` or `ModelError`."""
        embeddings = _load_model("langchain.embeddings", "init_embeddings", model)
        limits = {"max_tokens": max_tokens, "batch_size": batch_size, "timeout": timeout}
        embedder = cls(embeddings, model, dimension or 0, **limits)  # type: ignore[arg-type]
        if dimension is None:
            embedder._dimension = len(await embedder._embed([" dimension"], query=True))
        return embedder

    @property
    def spec(self) -> EmbedderSpec:
        return EmbedderSpec(self._model, "langchain", self._dimension)

    @property
    def max_tokens(self) -> int:
        return self._max_tokens

    def token_starts(self, text: str) -> NDArray[Any]:
        """An estimate: see `estimate_token_starts`."""
        return estimate_token_starts(text)

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        rows: list[Any] = []
        for start in range(0, len(texts), self._batch_size):
            batch = [truncate_to_tokens(text, self._max_tokens) for text in texts[start : start + self._batch_size]]
            rows += await self._embed(batch, query=False)
        return make_unit_vectors(
            rows, len(texts), self._dimension, self._model, "Set ANCHORAGE_EMBEDDING__DIMENSION right."
        )

    async def embed_query(self, text: str) -> NDArray[Any]:
        row = await self._embed([truncate_to_tokens(text, self._max_tokens)], query=True)
        vectors = make_unit_vectors([row], 1, self._dimension, self._model, "Set ANCHORAGE_EMBEDDING__DIMENSION right.")
        result: NDArray[Any] = vectors[0]
        return result

    async def _embed(self, texts: list[str], *, query: bool) -> list[Any]:
        try:
            async with asyncio.timeout(self._timeout):
                found = self._embeddings.aembed_query(texts[0]) if query else self._embeddings.aembed_documents(texts)
                rows: list[Any] = await found
                return rows
        except Exception as error:
            raise _translate_error(error, self._model) from error

    async def ping(self) -> str:
        """LangChain has no free call: that the model could be opened is all that is known."""
        return "available"
