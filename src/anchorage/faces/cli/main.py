"""The command line. Every command is a thin caller of a use case; its libraries load when it runs."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import typer
from typer.exceptions import Abort, Exit, TyperException

from anchorage.errors import AnchorageError, BadRequest
from anchorage.faces.cli.options import debugging
from anchorage.faces.cli.output import errors, print_json

# Module and function of each command with the first line of its help, so that a list of them loads none.
_COMMANDS = {
    "up": ("run", "up", "Run everything on this machine: database, local model, worker, API; ready with a collection of our own docs."),
    "serve": ("run", "serve", "Run the API. Uploads wait for a worker: see `anchorage worker`."),
    "worker": ("run", "worker", "Ingest queued documents, and keep the index tidy, until stopped."),
    "migrate": ("run", "migrate", "Bring both databases up to this release."),
    "doctor": ("doctor", "doctor", "Show the settings, try every part, and say how to mend what fails."),
    "ingest": ("ingest", "ingest", "Index documents. What has not changed is skipped; what is gone from a source is deleted."),
    "search": ("ask", "search", "Find the passages that fit a question best."),
    "ask": ("ask", "ask", "Answer a question, with a citation for every sentence."),
    "mcp": ("mcp", "mcp", "Run an MCP server on stdin and stdout, for clients such as editors and desktop assistants."),
    "usage": ("usage", "usage", "Tokens and cost of everybody, by day, principal and model."),
    "eval": ("evaluate", "evaluate", "Measure retrieval and answers on a judged set, in a collection that is dropped at the end."),
    "gate": ("gate", "command", "Ask a golden set, and refuse a change that loses answers."),
    "reindex": ("reindex", "command", "Build another index of a collection beside the live one, check it, and switch; answers go on meanwhile."),
}  # fmt: skip
_GROUPS = {
    "documents": "See and delete documents.",
    "conversations": "See and delete your conversations.",
    "sources": "Keep folders, buckets, sites and wikis in sync.",
    "jobs": "See, retry and cancel what workers do.",
    "feedback": "What people think of answers.",
}

_MISUSE, _FAILED, _INTERRUPTED = 2, 1, 130


def _app(wanted: str | None) -> typer.Typer:
    """The commands. Only the wanted one is loaded; of the others there is no more than what a list of them shows."""
    app = typer.Typer(
        no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
        help="Answers from your own documents, every sentence anchored to the passage it came from.",
    )  # fmt: skip
    # Typer would take a single command for the whole program.
    app.callback()(lambda: None)
    for name, (module, function, summary) in _COMMANDS.items():
        if name == wanted:
            app.command(name=name)(getattr(_module(module), function))
        else:
            app.command(name=name, help=summary)(lambda: None)
    for name, summary in _GROUPS.items():
        app.add_typer(_module(name).app if name == wanted else typer.Typer(), name=name, help=summary)
    return app


def _module(name: str) -> Any:
    return import_module(f"anchorage.faces.cli.{name}")


def main() -> None:
    """Run a command. Exit code 0: done, 1: failed, 2: misuse."""
    code = _run()
    sys.stdout.flush()
    sys.exit(code)


def _run() -> int:
    try:
        result = _app(next((word for word in sys.argv[1:] if not word.startswith("-")), None))(standalone_mode=False)
    except TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            sys.stderr.write(error.format_message() + "\n")
            return _MISUSE
        return _fail("misuse", f"{error.format_message()} See `anchorage --help`.", _MISUSE)
    except AnchorageError as error:
        return _fail(error.code, error.message, _MISUSE if isinstance(error, BadRequest) else _FAILED)
    except Exit as leaving:
        return leaving.exit_code
    except (KeyboardInterrupt, Abort):
        return _fail("interrupted", "Interrupted.", _INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has left, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED
    except BaseExceptionGroup as group:
        return _report_group(group)
    except UnicodeEncodeError:
        return _fail("misuse", "An argument is not valid UTF-8. Give it in UTF-8.", _MISUSE)
    except Exception as error:  # the last resort: a bug, told as one
        if debugging():
            raise
        return _fail(
            "internal",
            f"Something unexpected failed ({type(error).__name__}). LOG_LEVEL=DEBUG shows where; please report it.",
            _FAILED,
        )
    if result == _INTERRUPTED:  # what the library makes of Ctrl+C
        return _fail("interrupted", "Interrupted.", _INTERRUPTED)
    return result if isinstance(result, int) else 0


def _report_group(group: BaseExceptionGroup[Any]) -> int:
    """What ended a task group: ours if there is one."""
    ours = group.subgroup(AnchorageError)
    if ours is None:
        raise group
    leaf: BaseException = ours
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    assert isinstance(leaf, AnchorageError)
    return _fail(leaf.code, leaf.message, _FAILED)


def _fail(code: str, message: str, exit_code: int) -> int:
    errors.print(f"anchorage: {message}", markup=False, soft_wrap=True)
    if "--json" in sys.argv[1:]:
        print_json({"error": {"code": code, "message": message}})
    return exit_code
