"""How servers announce themselves in a data directory."""

import json
import os
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from anchorage.faces.running import FILE, Running, announce, find_running, this_server


def test_the_last_of_several_servers_is_named_and_then_the_one_before_it(tmp_path: Path) -> None:
    first, second = this_server("127.0.0.1", 8000), this_server("0.0.0.0", 8001)
    with announce(tmp_path, first):
        with announce(tmp_path, second):
            assert find_running(tmp_path) == second and second.host == "127.0.0.1"
        assert find_running(tmp_path) == first
    assert find_running(tmp_path) is None and not list(tmp_path.iterdir())


def test_a_server_that_ends_before_a_later_one_leaves_its_announcement(tmp_path: Path) -> None:
    first, second = this_server("::1", 8000), this_server("::1", 8001)
    with ExitStack() as one, ExitStack() as other:
        one.enter_context(announce(tmp_path, first))
        other.enter_context(announce(tmp_path, second))
        one.close()
        assert find_running(tmp_path) == second


def test_a_dead_server_is_not_announced_again(tmp_path: Path) -> None:
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    dead = Running("127.0.0.1", 8000, pid, "secret", {})
    (tmp_path / FILE).write_text(json.dumps(asdict(dead)))
    (tmp_path / FILE).chmod(0o600)
    with announce(tmp_path, this_server("127.0.0.1", 8001)):
        pass
    assert find_running(tmp_path) is None


SOUND = {"host": "127.0.0.1", "port": 8000, "pid": 1, "secret": "s", "settings": {}}


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", "[" * 100_000, *({**SOUND, **wrong} for wrong in (
        {"port": 99999}, {"port": "8000"}, {"port": True}, {"secret": 5}, {"secret": ""}, {"host": None}, {"pid": -1}, {"settings": []}, {"new": 1},
    ))],
)  # fmt: skip
def test_a_damaged_announcement_is_none(tmp_path: Path, content: Any) -> None:
    (tmp_path / FILE).write_text(content if isinstance(content, str) else json.dumps(content))
    (tmp_path / FILE).chmod(0o600)
    assert find_running(tmp_path) is None
    (tmp_path / FILE).write_text(json.dumps(SOUND))
    assert find_running(tmp_path) == Running(**SOUND)  # type: ignore[arg-type]
