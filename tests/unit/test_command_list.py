"""The command line loads what a command needs, and no more."""

import subprocess
import sys

import pytest

from anchorage.faces.cli import main

# What takes long to load, and has no part in asking a running server.
HEAVY = {
    "anchorage.settings.loading", "anchorage.telemetry", "anchorage.wiring", "fastapi", "langgraph", "numpy", "pydantic_settings", "psycopg",
    "structlog", "uvicorn",
}  # fmt: skip


@pytest.mark.parametrize("name", main._COMMANDS)
def test_a_commands_line_in_the_list_is_the_first_of_its_help(name: str) -> None:
    module, function, summary = main._COMMANDS[name]
    assert getattr(main._module(module), function).__doc__.splitlines()[0] == summary


@pytest.mark.parametrize("name", main._GROUPS)
def test_a_groups_line_in_the_list_is_its_help(name: str) -> None:
    assert main._module(name).app.info.help == main._GROUPS[name]


def loaded_by(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint('LOADED', *sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(run.stdout.rpartition("LOADED")[2].split())


def test_the_list_of_commands_loads_none() -> None:
    loaded = loaded_by(
        "from anchorage.faces.cli.main import main\nsys.argv = ['anchorage', '--help']\ntry: main()\nexcept SystemExit: pass"
    )
    assert not loaded & {*HEAVY, "anchorage.faces.cli.run", "anchorage.faces.cli.ask", "httpx"}


@pytest.mark.parametrize("module", ["ask", "documents", "jobs", "sources", "conversations"])
def test_a_client_of_a_server_loads_no_server(module: str) -> None:
    loaded = loaded_by(f"import anchorage.faces.cli.main, anchorage.faces.cli.{module}, anchorage.client")
    assert not loaded & HEAVY


def test_the_package_itself_loads_nothing() -> None:
    assert not loaded_by("import anchorage") & {*HEAVY, "httpx", "anchorage.client", "anchorage.faces"}
