"""The sections of the settings about sources on the web."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from anchorage.settings.sections import Section


class WebSettings(Section):
    """How web pages are read. Proxies of the environment are not used: they would resolve names unchecked."""

    allow_private: bool = Field(
        False, description="read addresses of private networks and of this machine, for the web of an own network"
    )
    user_agent: str = Field(
        "Anchorage",
        pattern=r"^[\x21-\x7e][\x20-\x7e]*$",
        description="how requests introduce themselves; robots.txt rules are found by its first word",
    )
    connect_timeout: float = Field(10, gt=0, description="seconds to reach a server")
    page_timeout: float = Field(60, gt=0, description="seconds for one page with its redirects")
    max_redirects: int = Field(10, ge=0, le=50, description="redirects from one address")
    pause: float = Field(
        1, ge=0, description="seconds between two requests to a host; its Crawl-delay may ask for more"
    )
    max_wait: float = Field(30, ge=0, description="longest Crawl-delay and Retry-After that is honoured, in seconds")
    retries: int = Field(2, ge=0, le=10, description="attempts after the first, where a server is busy")
    max_pages: int = Field(50_000, ge=1, description="pages of one sitemap")


class ConfluenceSettings(Section):
    """Where Confluence is, and who reads it."""

    base_url: str | None = Field(
        None, description="for example https://example.atlassian.net/wiki, or https://wiki.example.org"
    )
    username: str | None = Field(None, description="user name; on Confluence Cloud the account's e-mail address")
    password: SecretStr | None = Field(
        None, description="password or API token; without a user name, a personal access token"
    )
    flavour: Literal["auto", "cloud", "datacenter"] = Field(
        "auto", description="auto: cloud for atlassian.net and api.atlassian.com, else Data Center"
    )
    attachments: bool = Field(
        True,
        description="read files that are attached to pages, save pictures, sound and films; costs a request for each page",
    )
    timeout: float = Field(60, gt=0, description="seconds for one request")
    download_timeout: float = Field(600, gt=0, description="seconds for the bytes of one attachment")
    retries: int = Field(4, ge=0, le=10, description="attempts after the first, where it asks to slow down")
    max_wait: float = Field(60, ge=0, description="longest Retry-After that is honoured, in seconds")
