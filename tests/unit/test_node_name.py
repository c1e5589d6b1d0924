"""The node's name: who says it, and that it stays."""

from pathlib import Path

import pytest

from gateway.node_name import node_name, settled_node_name
from gateway.settings import Settings
from tests.lab.asterisk import free_port
from tests.unit.asterisk.conftest import peer
from tests.unit.asterisk.peer import ScriptedPeer

__all__ = ["peer"]


def names_itself(peer: ScriptedPeer, *names: str) -> None:
    peer.answers["CoreSettings"] = lambda c, a: c.reply(
        a, "Response: Success", *(f"SystemName: {name}" for name in names)
    )


@pytest.mark.parametrize(
    ("told", "name"), [(("pbx-sydney",), "pbx-sydney"), (("",), "pbx1"), ((), "pbx1"), (("  Zürich ",), "Zürich")]
)
async def test_asterisk_is_asked_and_its_answer_kept(
    peer: ScriptedPeer, tmp_path: Path, told: tuple[str, ...], name: str
) -> None:
    names_itself(peer, *told)
    settings = Settings(ami_url=peer.url, data_dir=tmp_path / "data")
    assert node_name(settings) == "pbx1"
    assert await settled_node_name(settings) == name
    names_itself(peer, "renamed")
    assert await settled_node_name(settings) == name
    assert node_name(settings) == name
    assert [file.name for file in (tmp_path / "data").iterdir()] == ["node"]


async def test_what_is_set_wins_and_is_not_kept(peer: ScriptedPeer, tmp_path: Path) -> None:
    names_itself(peer, "pbx-sydney")
    assert await settled_node_name(Settings(ami_url=peer.url, data_dir=tmp_path, node="pbx9")) == "pbx9"
    assert await settled_node_name(Settings(ami_url=peer.url, data_dir=tmp_path)) == "pbx-sydney"


async def test_an_asterisk_that_does_not_answer_is_given_no_name(peer: ScriptedPeer, tmp_path: Path) -> None:
    """Another gateway of the same Asterisk may know it by its own."""
    nobody = Settings(ami_url=f"ami://gateway:secret@127.0.0.1:{free_port()}", data_dir=tmp_path)
    with pytest.raises(OSError, match=r"^GATEWAY_NODE is not set, and Asterisk does not tell .*cannot connect"):
        await settled_node_name(nobody, seconds=0.5)
    peer.answers["CoreSettings"] = lambda c, a: c.reply(a, "Response: Error", "Message: Permission denied")
    asking = Settings(ami_url=peer.url, data_dir=tmp_path)
    with pytest.raises(OSError, match="Permission denied"):
        await settled_node_name(asking)
    names_itself(peer, "pbx-sydney")
    assert await settled_node_name(asking) == "pbx-sydney"


async def test_without_asterisk_nothing_is_kept(tmp_path: Path) -> None:
    assert await settled_node_name(Settings(data_dir=tmp_path)) == "pbx1"
    assert list(tmp_path.iterdir()) == []
