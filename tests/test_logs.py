"""What stands in a line of the log, and what does not."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser

from app.logs import configure_logs

SECRET = "cl_secret_that_is_nobodys_business"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """The logging of the other tests."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level
    for name in ("uvicorn.access", "uvicorn.error"):
        logging.getLogger(name).disabled = False
        logging.getLogger(name).filters.clear()


def lines_of(level: str = "INFO") -> tuple[io.StringIO, structlog.stdlib.BoundLogger]:
    stream = io.StringIO()
    configure_logs(level, stream)
    return stream, structlog.get_logger("test")


def test_a_line_is_one_json_object_whatever_stands_in_it() -> None:
    stream, log = lines_of()
    log.info("a\nb", path='/x"\n{"event": "forged"}')
    [line] = stream.getvalue().splitlines()
    assert json.loads(line)["path"] == '/x"\n{"event": "forged"}'


def test_a_traceback_shows_no_local_variable() -> None:
    stream, log = lines_of()

    def fail(key: str) -> None:
        raise ValueError(len(key))

    try:
        fail(SECRET)
    except ValueError:
        log.exception("failed")
    assert "ValueError" in stream.getvalue()
    assert SECRET not in stream.getvalue()


def test_levels_are_kept() -> None:
    stream, log = lines_of("warning")
    log.info("too quiet")
    logging.getLogger("uvicorn.error").info("too quiet")
    log.warning("loud enough")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["loud enough"]


def test_the_servers_lines_are_ours_and_its_access_log_is_off() -> None:
    stream, _ = lines_of()
    logging.getLogger("uvicorn.error").info("Started")
    logging.getLogger("uvicorn.access").info('"POST /v1/events?key=%s"', SECRET)
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["Started"]


def test_a_form_that_is_none_writes_no_line() -> None:
    stream, _ = lines_of()
    with pytest.raises(MultipartParseError):
        MultipartParser("x").write(b"{}")
    assert stream.getvalue() == ""


def test_an_unknown_level_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="DEBUG, INFO, WARNING or ERROR"):
        configure_logs("LOUD")
