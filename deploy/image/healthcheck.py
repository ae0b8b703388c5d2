"""Docker's health check: whether what runs in this container takes work.

A process with an HTTP side (`serve`, `worker --probes PORT`) is asked for /readyz; any other is healthy while it runs.
Kubernetes has its own probes and does not read this.
"""

import os
import socket
import sys


def _port(arguments: list[str]) -> int | None:
    """Where the process with these arguments (after `anchorage`) answers; nothing where it does not."""
    role = next((argument for argument in arguments if not argument.startswith("-")), "")
    option = {"serve": "--port", "up": "--port", "worker": "--probes"}.get(role)
    if option is None:
        return None
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        name, _, value = argument.partition("=")
        if name == option:
            return int(value or following)
    return None if role == "worker" else int(os.environ.get("APP_PORT") or 8000)


def _arguments() -> list[str]:
    """Those of the oldest process of ours in this container: process 1, or below an init."""
    for number in sorted(int(name) for name in os.listdir("/proc") if name.isdecimal()):
        try:
            with open(f"/proc/{number}/cmdline", "rb") as file:
                words = [os.fsdecode(word) for word in file.read().split(b"\0")]
        except OSError:
            continue  # it has ended meanwhile
        for place, word in enumerate(words[:3]):
            if word.endswith("/bin/anchorage"):
                return words[place + 1 :]
    return []


def main() -> None:
    port = _port(_arguments())
    if port is None:
        return
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=4) as connection:
            connection.sendall(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
            status = connection.recv(64).decode("latin-1").split("\r\n")[0]
    except OSError as error:
        sys.exit(f"Port {port} does not answer: {error}")
    if " 200" not in status:
        sys.exit(f"/readyz on port {port} answers {status}")


if __name__ == "__main__":
    main()
