"""The images, built from this checkout and run on a real Docker Engine, shut in as the chart shuts its pods in.

Only by `make image-test`, since building takes minutes. The containers share one network namespace without a way out, so
nothing here needs a bridge, and nothing can reach a network.
"""

import json
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PASSWORD = uuid.uuid4().hex
SHUT_IN = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]


def docker(*arguments: str, check: bool = True, timeout: float = 120) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=timeout)
    if check:
        assert done.returncode == 0, f"docker {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done


def until(condition: Callable[[], Any], what: str, seconds: float = 120) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} took more than {seconds:g} s"
        time.sleep(0.2)
    return value


def inspected(name: str) -> dict[str, Any]:
    (found,) = json.loads(docker("inspect", name).stdout)
    return dict(found)


def shell(image: str, script: str, *options: str) -> str:
    """What a shell in the image prints, as root, so that nothing is hidden from it."""
    return docker(
        "run", "--rm", "--network", "none", "--user", "0", *options, "--entrypoint", "sh", image, "-c", script
    ).stdout


@pytest.fixture(scope="session")
def base_image(request: pytest.FixtureRequest) -> str:
    base: str | None = request.config.getoption("--base-image")
    if base is None:
        pytest.skip("images are built by `make image-test` only")
    if shutil.which("docker") is None or docker("version", check=False).returncode:
        pytest.skip("no Docker Engine answers")
    return base


def _built(target: str, base: str) -> Iterator[str]:
    tag = f"anchorage-test-{target}:{uuid.uuid4().hex[:8]}"
    done = subprocess.run(
        ["sh", "scripts/image.sh", str(Path(sys.executable).parents[1]), tag, base, target],
        cwd=ROOT, capture_output=True, text=True, timeout=1500,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    yield tag
    docker("rmi", "--force", tag, check=False)


@pytest.fixture(scope="session")
def image(base_image: str) -> Iterator[str]:
    yield from _built("full", base_image)


@pytest.fixture(scope="session")
def slim(base_image: str) -> Iterator[str]:
    yield from _built("slim", base_image)


@pytest.fixture(scope="session")
def postgres_image(base_image: str) -> Iterator[str]:
    yield from _built("postgres", base_image)


@dataclass
class System:
    """One Postgres, and containers of ours in its network namespace."""

    image: str
    postgres: str
    volume: str
    started: list[str] = field(default_factory=list)

    def options(self, *more: str) -> list[str]:
        url = "postgresql://anchorage@127.0.0.1:5432/anchorage"
        return [
            *SHUT_IN, "--network", f"container:{self.postgres}", "--volume", f"{self.volume}:/data", *more,
            "--env", f"VECTOR_DB_URL={url}", "--env", f"STATE_DB_URL={url}", "--env", f"PGPASSWORD={PASSWORD}",
        ]  # fmt: skip

    def run(
        self, *command: str, options: tuple[str, ...] = (), check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        return docker("run", "--rm", *self.options(*options), self.image, *command, check=check)

    def start(self, *command: str, options: tuple[str, ...] = ()) -> str:
        name = docker("run", "--detach", *self.options(*options), self.image, *command).stdout.strip()
        self.started.append(name)
        return name


def healthy(name: str) -> bool:
    state = inspected(name)["State"]
    assert state["Running"], docker("logs", name).stderr[-4000:]
    return bool(state["Health"]["Status"] == "healthy")


@pytest.fixture(scope="session")
def system(image: str, postgres_image: str) -> Iterator[System]:
    """A database with this release's tables, and nothing that runs on it yet."""
    volume = docker("volume", "create").stdout.strip()
    postgres = docker(
        "run", "--detach", *SHUT_IN, "--tmpfs", "/var/run/postgresql:mode=3777", "--network", "none", "--shm-size", "256m",
        "--env", "POSTGRES_USER=anchorage", "--env", "POSTGRES_DB=anchorage", "--env", f"POSTGRES_PASSWORD={PASSWORD}",
        "--env", "PGDATA=/var/lib/postgresql/data/pgdata", postgres_image, "-c", "max_connections=100",
    ).stdout.strip()  # fmt: skip
    system = System(image, postgres, volume)
    try:
        system.run("migrate", "--wait", "120")
        yield system
    finally:
        docker("rm", "--force", "--volumes", *system.started, postgres, check=False)
        docker("volume", "rm", volume, check=False)
