"""Serves the web page: built, compressed files of the package, under a policy that runs no other script."""

from __future__ import annotations

import hashlib
import html
import json
import mimetypes
from functools import cache
from pathlib import Path

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

import anchorage

BUILT = Path(anchorage.__file__).parent / "static"
PLACES = ("/", "/c/{id}", "/documents", "/documents/{id}", "/sources", "/system")
"""The paths of the page; a deep link to one of them gets it."""

_POLICY = "; ".join([
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data: blob:", "font-src 'self'",
    "connect-src 'self'", "worker-src 'self'", "base-uri 'self'", "form-action 'none'", "frame-ancestors 'none'",
])  # fmt: skip
_SECURITY_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_CACHED_FOREVER = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Vary": "Accept-Encoding",
}  # names carry a hash
_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))  # the better first
_UNBUILT_PAGE = (
    "<!doctype html><title>Anchorage</title><p>The web page of this installation was not built. In the source tree, "
    "<code>make setup</code> builds it. The API works: see <a href='docs'>its description</a>."
)


def install(app: FastAPI, folder: Path = BUILT) -> None:
    """Serve the page at its places, and its files below /assets."""

    async def serve_page(request: Request) -> Response:
        source = folder / "index.html"
        if not source.is_file():
            return HTMLResponse(_UNBUILT_PAGE, 503)
        root_path = request.scope.get("root_path", "")
        first = request.url.path.removeprefix(root_path) in ("", "/")
        body, tag = _render_page(source, source.stat().st_mtime_ns, root_path, first)
        headers = {**_SECURITY_HEADERS, "Cache-Control": "no-cache", "ETag": tag}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return HTMLResponse(body, headers=headers)

    async def serve_asset(request: Request) -> Response:
        name = request.path_params["name"]
        assets = (folder / "assets").resolve()
        try:
            path = (assets / name).resolve()
            found = path.is_relative_to(assets) and path.suffix not in (".br", ".gz") and path.is_file()
        except (OSError, ValueError):  # no name that a file can have
            found = False
        if not found:
            raise HTTPException(404)
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        accepted = request.headers.get("accept-encoding", "")
        for encoding, suffix in _ENCODINGS:
            packed = path.with_name(path.name + suffix)
            if encoding in accepted and packed.is_file():
                return FileResponse(packed, media_type=kind, headers={**_CACHED_FOREVER, "Content-Encoding": encoding})
        return FileResponse(path, media_type=kind, headers=_CACHED_FOREVER)

    for place in PLACES:
        app.add_route(place, serve_page, include_in_schema=False)
    app.add_route("/assets/{name:path}", serve_asset, include_in_schema=False)


@cache
def _render_page(source: Path, changed: int, root_path: str, first: bool) -> tuple[str, str]:
    """Render the page for this prefix, to which its addresses are relative; returns it with its ETag. `changed` tells builds apart."""
    base = f'<base href="{html.escape(root_path.rstrip("/"))}/">'
    body = source.read_text("utf-8").replace("<head>", f"<head>{base}", 1)
    if not first:
        body = body.replace("</head>", f"{_build_preload_links(source.with_name('manifest.json'))}</head>", 1)
    return body, f'"{hashlib.sha256(body.encode()).hexdigest()[:20]}"'


def _build_preload_links(manifest: Path) -> str:
    """Build links that load what all paths but the first need together with the page's script, and not after it has run."""
    if not manifest.is_file():
        return ""
    rest = json.loads(manifest.read_text("utf-8")).get("src/rest.ts", {})
    scripts = [f'<link rel="modulepreload" crossorigin href="{html.escape(rest["file"])}">'] if rest else []
    # The page itself puts them to use, and says so when they cannot be had.
    styles = [f'<link rel="preload" as="style" crossorigin href="{html.escape(name)}">' for name in rest.get("css", ())]
    return "".join(scripts + styles)
