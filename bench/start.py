"""Seconds from the start of a container to /readyz: python -m bench.start --image anchorage:dev [--postgres anchorage-postgres:18]."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import time

from bench.support import report

_SHUT_IN = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
# Asks as fast as it can, inside the container's network: nothing outside may reach it.
_WAIT = """
import socket, sys, time
deadline = time.time() + 120
while time.time() < deadline:
    try:
        with socket.create_connection(("127.0.0.1", 8000), timeout=5) as c:
            c.sendall(b"GET /readyz HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n")
            if b" 200" in c.recv(64):
                print(time.time()); sys.exit()
    except OSError:
        pass
    time.sleep(0.02)
sys.exit("not ready within 120 s")
"""


def _docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"docker {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def _import_times(image: str) -> list[dict[str, object]]:
    """The ten packages whose own modules take longest to import, in milliseconds."""
    done = subprocess.run(
        ["docker", "run", "--rm", "--network", "none", "--entrypoint", "python", image, "-X", "importtime", "-c",
         "import anchorage.faces.http.server"], capture_output=True, text=True,
    )  # fmt: skip
    totals: dict[str, float] = {}
    for line in done.stderr.splitlines():
        own, _, module = line.removeprefix("import time:").split("|")
        if own.strip().isdecimal():
            package = module.strip().partition(".")[0]
            totals[package] = totals.get(package, 0) + int(own) / 1000
    ordered = sorted(totals.items(), key=lambda item: -item[1])[:10]
    return [{"package": name, "ms": round(value)} for name, value in ordered]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--image", default="anchorage:dev")
    parser.add_argument("--postgres", default="anchorage-postgres:18")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    password, url = secrets.token_hex(16), "postgresql://anchorage@127.0.0.1:5432/anchorage"
    postgres = _docker(
        "run", "--detach", "--network", "none", "--env", "POSTGRES_USER=anchorage", "--env", f"POSTGRES_PASSWORD={password}", given.postgres
    )  # fmt: skip
    options = [*_SHUT_IN, "--network", f"container:{postgres}", "--env", f"PGPASSWORD={password}", "--env", f"VECTOR_DB_URL={url}", "--env",
               f"STATE_DB_URL={url}"]  # fmt: skip
    seconds = []
    try:
        _docker("run", "--rm", *options, given.image, "migrate", "--wait", "120")
        waiter = _docker(
            "run", "--detach", "--network", f"container:{postgres}", "--entrypoint", "sleep", given.image, "infinity"
        )
        try:
            for _ in range(given.rounds):
                name = _docker("create", *options, given.image, "serve")
                began = time.time()
                _docker("start", name)
                seconds.append(float(_docker("exec", waiter, "python", "-c", _WAIT)) - began)
                _docker("rm", "--force", "--volumes", name)
        finally:
            _docker("rm", "--force", "--volumes", waiter)
    finally:
        _docker("rm", "--force", "--volumes", postgres)
    seconds.sort()
    report(
        image={"tag": given.image, "megabytes": round(json.loads(_docker("inspect", given.image))[0]["Size"] / 1e6)},
        ready_seconds={
            "least": round(seconds[0], 2),
            "median": round(seconds[len(seconds) // 2], 2),
            "most": round(seconds[-1], 2),
        },
        imports=_import_times(given.image),
        load=os.getloadavg()[0],
    )


if __name__ == "__main__":
    main()
