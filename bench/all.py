"""The benchmarks that need no data: python -m bench.all."""

from __future__ import annotations

import json
import subprocess
import sys

_MODULES = ("embedding", "serve", "ingest", "chat")


def main() -> None:
    found = {}
    for module in _MODULES:
        print(f"bench.{module} ...", file=sys.stderr)
        done = subprocess.run([sys.executable, "-m", f"bench.{module}"], capture_output=True, text=True)
        found[module] = json.loads(done.stdout) if done.returncode == 0 else {"failed": done.stderr[-500:]}
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
