"""What the node is called in records and directories: GATEWAY_NODE; else Asterisk's own `systemname`, asked once.

The name is part of what calls are made of, so it stays: what was found first is kept in the data directory.
"""

import os
from pathlib import Path

import structlog

from gateway.asterisk.ami import AmiSession
from gateway.asterisk.errors import AmiError, NotConnected
from gateway.settings import Settings

ASSUMED = "pbx1"
ASK_SECONDS = 15.0

log = structlog.get_logger()


def node_name(settings: Settings) -> str:
    """The name as far as it is known without asking."""
    return settings.node or _kept(settings) or ASSUMED


async def settled_node_name(settings: Settings, seconds: float = ASK_SECONDS) -> str:
    """The name, for good. Where nobody said it yet, Asterisk is asked, and waited for `seconds`.

    Raises:
        OSError: it cannot be kept.
    """
    if settings.node or settings.ami_url is None or _kept(settings):
        return node_name(settings)
    told = await _asked(settings.ami_url, seconds)
    name = told or ASSUMED
    if told is None:
        log.warning("node.assumed", node=name, reason="Asterisk does not answer; GATEWAY_NODE names it")
    _keep(settings, name)
    return name


async def _asked(url: str, seconds: float) -> str | None:
    """`systemname` of asterisk.conf, empty where it has none; None where Asterisk did not answer in time."""
    session = AmiSession(url, events=False)
    await session.start()
    try:
        await session.wait_connected(seconds)
        reply = await session.action("CoreSettings")
    except NotConnected:
        return None
    except AmiError as error:
        log.warning("node.not_told", error=type(error).__name__)
        return None
    finally:
        await session.close()
    return reply.headers.get("SystemName", "").strip()


def _file(settings: Settings) -> Path:
    return settings.data_dir / "node"


def _kept(settings: Settings) -> str:
    try:
        return _file(settings).read_text("utf-8").strip()
    except FileNotFoundError:
        return ""


def _keep(settings: Settings, name: str) -> None:
    """Whole or not at all."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    partial = _file(settings).with_suffix(f".{os.getpid()}")
    partial.write_text(f"{name}\n", "utf-8")
    partial.replace(_file(settings))
