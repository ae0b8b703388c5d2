"""What Lighthouse says of every screen of the web page on a running server, on a desk and on a phone.

`python -m bench.lighthouse http://127.0.0.1:8000 [--runs 3] [--screens home,system]` prints JSON: for each screen the median of the scores and
times of its runs. A phone is Lighthouse's own: its processor four times as slow as this machine's, its network a slow mobile one, so what else
runs on this machine shows in the figures. Needs Chromium; Lighthouse itself is put into .setup/lighthouse by npm at the first run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from bench.support import report

LIGHTHOUSE = "lighthouse@13.5.0"
GOALS = {"performance": 0.9, "accessibility": 1.0, "best-practices": 0.95}
FORMS = {"phone": [], "desk": ["--preset=desktop"]}
_ROOT = Path(__file__).parents[1]
_HOME = _ROOT / ".setup/lighthouse"
_TIMES = {
    "fcp_ms": "first-contentful-paint",
    "lcp_ms": "largest-contentful-paint",
    "blocking_ms": "total-blocking-time",
    "shift": "cumulative-layout-shift",
}
_PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj "
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>endobj "
    b"5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj "
    b"4 0 obj<</Length 59>>stream\nBT /F1 12 Tf 20 150 Td (The lighthouse is ninety metres high.) Tj ET\nendstream endobj\n"
    b"trailer<</Root 1 0 R>>"
)


def _environment() -> dict[str, str]:
    """With a Node that Lighthouse takes, and the browser of this machine."""
    node = subprocess.run(["sh", str(_ROOT / "scripts/node.sh")], capture_output=True, text=True, check=True)
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("Chromium was not found (Debian: chromium).")
    return {**os.environ, "PATH": f"{node.stdout.strip()}:{os.environ['PATH']}", "CHROME_PATH": browser}


def _installed(env: dict[str, str]) -> str:
    program = _HOME / "node_modules/.bin/lighthouse"
    if not program.is_file():
        _HOME.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--prefix", str(_HOME), "--no-audit", "--no-fund", "--loglevel=error", LIGHTHOUSE]
        subprocess.run(command, env=env, check=True, stdout=sys.stderr)
    return str(program)


def screens(url: str) -> dict[str, str]:
    """The address of every screen, with something to be seen on each."""
    with httpx.Client(base_url=url, timeout=120) as api:
        files = {
            "lighthouse.pdf": _PDF,
            "lighthouse.txt": b"The lighthouse is ninety metres high. It was built in 1905.",
        }
        ids = {name: _uploaded(api, name, content) for name, content in files.items()}
        conversations = {}
        for name, question in {"answer": "How high is the lighthouse?", "abstention": "Who won the lottery?"}.items():
            conversations[name] = f"lighthouse{uuid4().hex}"
            asked = {"message": question, "conversation_id": conversations[name]}
            api.post("/api/chat", json=asked).raise_for_status()
        api.post("/api/sources", json={"location": f"{url}/docs"})  # where it may not be read, the card says so
    return {
        "home": "/", "answer": f"/c/{conversations['answer']}", "abstention": f"/c/{conversations['abstention']}",
        "gone": "/c/nosuchconversation", "documents": "/documents", "document": f"/documents/{ids['lighthouse.txt']}",
        "pdf": f"/documents/{ids['lighthouse.pdf']}", "sources": "/sources", "system": "/system",
    }  # fmt: skip


def _uploaded(api: httpx.Client, name: str, content: bytes) -> str:
    sent = api.post("/api/documents", files={"files": (name, content)}, data={"collection": "lighthouse"})
    place = f"/api/jobs/{sent.raise_for_status().json()['job_ids'][0]}"
    with api.stream("GET", place, headers={"accept": "text/event-stream"}) as job:
        job.read()
    return str(api.get(place).json()["document_id"])


def _look(program: str, env: dict[str, str], address: str, form: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "report.json"
        command = [
            program, address, "--quiet", "--output=json", f"--output-path={out}", f"--only-categories={','.join(GOALS)}",
            "--chrome-flags=--headless=new --no-sandbox", *FORMS[form],
        ]  # fmt: skip
        # Chromium now and then leaves no record of the load, for which Lighthouse itself says to run it again.
        if subprocess.run(command, env=env, stdout=sys.stderr).returncode:
            subprocess.run(command, env=env, check=True, stdout=sys.stderr)
        found: dict[str, Any] = json.loads(out.read_text("utf-8"))
    if "runtimeError" in found:
        sys.exit(f"Lighthouse could not look at {address}: {found['runtimeError']['message']}")
    scores = {name: float(found["categories"][name]["score"] or 0) for name in GOALS}
    return scores | {name: round(found["audits"][key]["numericValue"], 3) for name, key in _TIMES.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--screens", default="", help="names, separated by commas; all without it")
    asked = parser.parse_args()
    url = asked.url.rstrip("/")
    env = _environment()
    program = _installed(env)
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, path in screens(url).items():
        if asked.screens and name not in asked.screens.split(","):
            continue
        for form in FORMS:
            looks = [_look(program, env, url + path, form) for _ in range(asked.runs)]
            middle = {key: round(statistics.median(look[key] for look in looks), 3) for key in looks[0]}
            found.setdefault(name, {})[form] = middle
            print(f"{name} {form}: {middle}", file=sys.stderr)
    worst = {key: min(look[key] for forms in found.values() for look in forms.values()) for key in GOALS}
    report(
        screens=found,
        worst=worst,
        met={key: worst[key] >= goal for key, goal in GOALS.items()},
        load=os.getloadavg()[1],
    )


if __name__ == "__main__":
    main()
