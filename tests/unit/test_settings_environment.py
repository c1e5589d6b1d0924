"""The environment that is given is the one that is read."""

from pathlib import Path

import pytest

from gateway.settings import SettingsError, load


def test_what_is_given_is_read_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATEWAY_NODE", "another")
    settings = load({"GATEWAY_LISTEN": "127.0.0.1:9001"})
    assert (settings.node, settings.listen) == (None, "127.0.0.1:9001")


def test_an_empty_variable_counts_as_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gateway.toml").write_text('GATEWAY_NODE = "pbx2"\n')
    settings = load({"GATEWAY_NODE": "", "GATEWAY_CEL_JOURNAL": "", "GATEWAY_DATABASE_URL": "", "GATEWAY_CONFIG": ""})
    assert (settings.node, settings.cel_journal, settings.database_url) == ("pbx2", None, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEWAY_AMI_URL", "ami://gateway:hush@pbx:99999"),
        ("GATEWAY_AMI_URL", "ami://gateway:@pbx:5038"),
        ("GATEWAY_DATABASE_URL", "postgresql://gateway:hush@db:port/x"),
    ],
)
def test_a_port_or_secret_that_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=f"^{name}: is not ") as caught:
        load({name: value})
    assert "hush" not in str(caught.value)


def test_no_secret_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load(
        {"GATEWAY_AMI_URL": "ami://gateway:hush@pbx:5038", "GATEWAY_DATABASE_URL": "postgresql://gateway:hush@db/x"}
    )
    assert "hush" not in f"{settings!r} {settings}"
