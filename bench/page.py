"""How the web page feels on a running server: `python -m bench.page http://127.0.0.1:8000` prints it as JSON.

Frame times while a list of 10,000 conversations and a conversation of 500 turns scroll (both made up in the browser's reach, the page is
real), and the time from a token's arrival in the browser until the frame that shows it. Needs Chromium.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
from typing import Any

from playwright.sync_api import Page, Route, sync_playwright

CONVERSATIONS, TURNS, RUNS = 10_000, 500, 10
TEXT = (
    "The harbour of **Ghent** was opened in 1827. It has three docks.\n\n- coal\n- timber\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\n"
    * 2
)

_SCROLL = """async ([selector, pixels]) => {
    const list = document.querySelector(selector), frames = [];
    let last = await new Promise(requestAnimationFrame);
    for (let step = 0; step < 180; step++) {
        list.scrollTop += pixels;
        const now = await new Promise(requestAnimationFrame);
        frames.push(now - last);
        last = now;
    }
    return frames;
}"""
# When the first token reached the page, and when the frame after the one that put it there began.
_WATCH = """() => {
    const real = window.fetch;
    window.seen = [];
    window.fetch = async (...what) => {
        const response = await real(...what);
        if (response.headers.get('content-type')?.includes('event-stream')) {
            const reader = response.clone().body.pipeThrough(new TextDecoderStream()).getReader();
            (async () => {
                for (let piece = await reader.read(); !piece.done; piece = await reader.read())
                    if (piece.value.includes('"type":"token"')) { window.arrived ??= performance.now(); }
            })();
        }
        return response;
    };
    new MutationObserver(() => {
        if (window.arrived === undefined || window.shown !== undefined || !document.querySelector('.answer')) return;
        requestAnimationFrame(() => requestAnimationFrame(() => { window.shown ??= performance.now(); }));
    }).observe(document, { childList: true, subtree: true, characterData: true });
}"""


def _conversation(number: int) -> dict[str, Any]:
    moment = f"2026-01-{number % 28 + 1:02}T12:00:00+00:00"
    return {
        "id": f"c{number}",
        "title": f"Conversation {number}",
        "turns": 1,
        "created_at": moment,
        "updated_at": moment,
    }


def _turn(number: int) -> dict[str, Any]:
    return {
        "number": number, "parent": number - 1, "message_id": f"m{number}", "question": f"Question {number}?", "answer": TEXT,
        "abstained": False, "stopped": False, "citations": [], "unsupported": [], "created_at": None, "siblings": [f"m{number}"],
    }  # fmt: skip


def _answered(route: Route, body: Any) -> None:
    route.fulfill(body=json.dumps(body), headers={"content-type": "application/json"})


def _figures(frames: list[float]) -> dict[str, float]:
    ordered = sorted(frames)
    return {
        "p50": round(statistics.median(ordered), 1),
        "p95": round(ordered[int(len(ordered) * 0.95)], 1),
        "max": round(ordered[-1], 1),
        "over_33_ms": sum(frame > 33.4 for frame in ordered),
    }


def scrolling(page: Page, url: str) -> dict[str, Any]:
    listed = {"conversations": [_conversation(number) for number in range(CONVERSATIONS)], "next": None}
    page.route("**/api/conversations?*", lambda route: _answered(route, listed))
    whole = {**_conversation(0), "turns": [_turn(number + 1) for number in range(TURNS)]}
    page.route("**/api/conversations/c0", lambda route: _answered(route, whole))
    page.goto(f"{url}/c/c0")
    page.locator(".turn table").first.wait_for()
    found = {
        "list_of_10000": _figures(page.evaluate(_SCROLL, [".list-scroll", 400])),
        "conversation_of_500": _figures(page.evaluate(_SCROLL, [".thread-scroll", -300])),
        "drawn": {"rows": page.locator(".list-row").count(), "turns": page.locator(".turn").count()},
    }
    page.unroute_all()
    return found


def first_token(page: Page, url: str) -> dict[str, float]:
    waits = []
    for _ in range(RUNS):
        page.goto(url)
        page.evaluate(_WATCH)
        page.get_by_role("textbox").last.fill("What is an index version?")
        page.wait_for_timeout(300)
        page.keyboard.press("Enter")
        page.locator(".actions").wait_for()
        waits.append(float(page.evaluate("() => window.shown - window.arrived")))
    return {"p50": round(statistics.median(waits), 1), "max": round(max(waits), 1)}


def main(url: str) -> None:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        print(
            json.dumps({"frame_ms": scrolling(page, url), "first_token_visible_ms": first_token(page, url)}, indent=1)
        )
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"))
