"""What the log shows of a failure: where it happened, never what was in memory there."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from gateway.service_log import to_standard_error

SECRET = "gw_live_0123456789ab_not-for-any-log"


class Stream(io.StringIO):
    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configured = structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**configured)


def fail_with_a_secret_at_hand() -> None:
    authorization = f"Bearer {SECRET}"
    assert authorization
    raise LookupError("it failed")


@pytest.mark.usefixtures("_logging_as_it_was")
@pytest.mark.parametrize("terminal", [True, False])
def test_a_failure_is_logged_with_its_place_and_without_its_variables(
    monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    stream = Stream(terminal=terminal)
    monkeypatch.setattr("sys.stderr", stream)
    to_standard_error()
    try:
        fail_with_a_secret_at_hand()
    except LookupError as error:
        structlog.get_logger().error("api.failed", exc_info=error)
        logging.getLogger("gateway.asterisk").exception("a handler failed")
    told = stream.getvalue()
    assert told.count("fail_with_a_secret_at_hand") >= 2
    assert told.count("LookupError: it failed") == 2
    assert SECRET not in told
    if not terminal:
        assert [json.loads(line)["level"] for line in told.splitlines()] == ["error", "error"]


def test_tests_log_no_variables_either(capsys: pytest.CaptureFixture[str]) -> None:
    """What CI prints of a test that failed is as public as any log."""
    try:
        fail_with_a_secret_at_hand()
    except LookupError as error:
        structlog.get_logger().error("api.failed", exc_info=error)
    told = capsys.readouterr()
    assert "LookupError: it failed" in told.out + told.err
    assert SECRET not in told.out + told.err
