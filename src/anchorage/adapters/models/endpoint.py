"""Where a model server is, how it is reached, and the names of the settings that say so."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.request import getproxies, proxy_bypass

from yarl import URL

from anchorage.errors import ConfigurationError

OPENAI_URL = "https://api.openai.com/v1"
OLLAMA_PORT = 11434


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model server, its key, and the names of the settings that an error message should point at."""

    base_url: str = field(default=OPENAI_URL, repr=False)
    api_key: str | None = field(default=None, repr=False)
    url_setting: str = "OPENAI_BASE_URL"
    key_setting: str = "OPENAI_API_KEY"
    model_setting: str = "LLM_MODEL"

    _address: URL = field(default_factory=URL, init=False, repr=False, compare=False)
    _login: str | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", self.base_url.strip().rstrip("/"))
        try:
            url = URL(self.base_url)
        except ValueError:
            url = URL()  # the URL may hold a password, so the error below does not quote it either
        object.__setattr__(self, "_address", url)
        if url.scheme not in ("http", "https") or not url.host:
            raise ConfigurationError(
                f"{self.url_setting} is not an http:// or https:// address of a model server. "
                "Give it with its scheme, for example http://localhost:8080/v1."
            )
        if url.user or url.password:  # RFC 7617
            if ":" in (url.user or ""):
                raise ConfigurationError(
                    f"{self.url_setting} holds a user name that cannot be sent. Take one without a colon."
                )
            login = b64encode(f"{url.user or ''}:{url.password or ''}".encode()).decode()
            object.__setattr__(self, "_login", f"Basic {login}")
        key = (self.api_key or "").strip()
        object.__setattr__(self, "api_key", key or None)
        # The HTTP library would quote an impossible header value, that is, the key, in its error.
        if not (key.isascii() and all(character.isprintable() and character != " " for character in key)):
            raise ConfigurationError(
                f"{self.key_setting} holds characters that no key has, such as spaces or quotes from a document. "
                "Copy the key again."
            )

    @classmethod
    def ollama(cls, host: str, *, url_setting: str = "OLLAMA_HOST", model_setting: str = "LLM_MODEL") -> Endpoint:
        """The OpenAI-compatible side of an Ollama server, from what OLLAMA_HOST may hold: `host`, `host:port` or a URL."""
        address = host.strip().rstrip("/")
        if "://" not in address:
            address = f"http://{address}"
        try:
            url = URL(address)
            if url.host in ("0.0.0.0", "::"):  # noqa: S104 - what the server listens on; a client needs a real address
                url = url.with_host("127.0.0.1")
            if url.explicit_port is None and url.scheme == "http":
                url = url.with_port(OLLAMA_PORT)
        except ValueError:
            raise ConfigurationError(
                f"{url_setting} is not an address. Give it as http://localhost:{OLLAMA_PORT}."
            ) from None
        base = str(url).rstrip("/").removesuffix("/v1")
        return cls(f"{base}/v1", None, url_setting, "OPENAI_API_KEY", model_setting)

    @property
    def shown(self) -> str:
        """The address without its secrets (user, password, query), for messages."""
        return str(self._address.with_user(None).with_query(None).with_fragment(None)).rstrip("/")

    @property
    def is_openai(self) -> bool:
        """Whether this is OpenAI itself and not a compatible server."""
        host = self._address.host or ""
        return host == "openai.com" or host.endswith(".openai.com")

    @property
    def headers(self) -> dict[str, str]:
        """Headers of every request: the key, or else the name and password that the address holds."""
        if self.api_key:
            return {"Authorization": f"Bearer {self.api_key}"}
        return {"Authorization": self._login} if self._login else {}

    @property
    def proxy(self) -> str | None:
        """The proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name for this server."""
        return _find_proxy(self._address.scheme, f"{self._address.host}:{self._address.port}")

    def url(self, path: str) -> URL:
        """The address of the call at `path`."""
        return _build_url(self._address, path)

    def mask_key(self, text: str) -> str:
        """Replace the key in a text by asterisks, since some servers echo it."""
        return text.replace(self.api_key, "***") if self.api_key else text

    def __repr__(self) -> str:
        return f"Endpoint({self.shown!r})"


@lru_cache(maxsize=64)
def _build_url(address: URL, path: str) -> URL:
    return address.with_user(None) / path


@lru_cache(maxsize=64)
def _find_proxy(scheme: str, host: str) -> str | None:
    proxies = getproxies()
    found = proxies.get(scheme) or proxies.get("all")
    if not found or proxy_bypass(host):
        return None
    found = found if "://" in found else f"http://{found}"
    if not found.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"{scheme.upper()}_PROXY or ALL_PROXY names a proxy that is neither http:// nor https://. Name one that is, or put the model "
            "server's host into NO_PROXY."
        )
    return found
