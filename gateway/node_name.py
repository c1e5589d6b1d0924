"""What the node is called in records and directories: GATEWAY_NODE; else Asterisk's own `systemname`, asked once.

The name is part of what calls are made of, so it stays: what Asterisk said first is kept in the data directory. It is
never guessed where Asterisk says nothing: two gateways of one Asterisk under two names would record each call twice.
"""

import os
from pathlib import Path

from gateway.asterisk.ami import AmiSession
from gateway.asterisk.errors import AmiError
from gateway.settings import Settings

UNNAMED = "pbx1"
"""An Asterisk that has no `systemname`."""

ASK_SECONDS = 15.0


def node_name(settings: Settings) -> str:
    """The name as far as it is known without asking."""
    return settings.node or _kept(settings) or UNNAMED


async def settled_node_name(settings: Settings, seconds: float = ASK_SECONDS) -> str:
    """The name, for good. Where nobody said it yet, Asterisk is asked, and waited for `seconds`.

    Raises:
        OSError: it does not answer, or the name cannot be kept.
    """
    if settings.node or settings.ami_url is None or _kept(settings):
        return node_name(settings)
    try:
        name = await _asked(settings.ami_url, seconds) or UNNAMED
    except AmiError as error:
        raise OSError(
            f"GATEWAY_NODE is not set, and Asterisk does not tell its systemname ({error}): mend GATEWAY_AMI_URL, "
            "start Asterisk, or set GATEWAY_NODE"
        ) from None
    _keep(settings, name)
    return name


async def _asked(url: str, seconds: float) -> str:
    """`systemname` of asterisk.conf, empty where it has none. Raises AmiError."""
    session = AmiSession(url, events=False)
    await session.start()
    try:
        await session.wait_connected(seconds)
        reply = await session.action("CoreSettings")
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
