"""What logs hold, and what they must not."""

import json
import logging

import pytest
import structlog

from anchorage.telemetry import configure_logging


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_local_variable_reaches_a_log(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        password = "sesame-open"  # noqa: F841  what a traceback with locals would show
        raise ValueError("broken")

    before, plain = logging.getLogger().handlers, structlog.get_config()
    try:
        configure_logging("INFO", form)
        for log in (structlog.get_logger("ours").exception, logging.getLogger("theirs").exception):
            try:
                fail()
            except ValueError:
                log("it broke")
        shown = capsys.readouterr().err
    finally:
        logging.getLogger().handlers = before
        structlog.configure(**plain)
    assert "broken" in shown and shown.count("ValueError") >= 2
    assert "sesame-open" not in "\n".join(line for line in shown.splitlines() if "password =" not in line)
    if form == "json":
        assert "sesame-open" not in shown
        assert all(json.loads(line)["exception"] for line in shown.splitlines())
