"""robots.txt (RFC 9309), read by Protego: wildcards, the longest rule wins, in time linear in the address."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Robots:
    """The rules of one host for our user agent. `delay` is in seconds."""

    allows: Callable[[str], bool]
    delay: float = 0.0
    sitemaps: Sequence[str] = ()

    @classmethod
    def allow_all(cls) -> Robots:
        """Everything is allowed."""
        return cls(lambda url: True)


def product_token(user_agent: str) -> str:
    """The part of a User-Agent that robots.txt names (RFC 9309, 2.2.1): `Anchorage` of `Anchorage/1.0 (+https://...)`."""
    return user_agent.split("/")[0].split(" ")[0]


def parse_robots(data: bytes, user_agent: str) -> Robots:
    """Read a robots.txt; what it gets wrong is passed over."""
    from protego import Protego  # loaded only where the web is read

    rules = Protego.parse(data.decode("utf-8-sig", "replace"))
    token = product_token(user_agent)
    delay = rules.crawl_delay(token)
    return Robots(
        lambda url: rules.can_fetch(url, token),
        delay if delay and math.isfinite(delay) and delay > 0 else 0.0,
        tuple(rules.sitemaps),
    )
