from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from standardwebhooks import Webhook

from gateway.events.secrets import SecretBox, SecretKeyError, new_secret


def test_the_key_file_is_made_for_its_owner_alone_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secret.key"
    sealed = SecretBox.from_file(path).seal("whsec_x")
    assert path.stat().st_mode & 0o777 == 0o600
    assert SecretBox.from_file(path).open(sealed) == "whsec_x"


def test_of_two_that_make_the_key_at_once_both_have_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.key"
    faster: list[SecretBox] = []
    generate = Fernet.generate_key

    def meanwhile() -> bytes:
        monkeypatch.setattr(Fernet, "generate_key", generate)
        faster.append(SecretBox.from_file(path))
        return generate()

    monkeypatch.setattr(Fernet, "generate_key", meanwhile)
    slower = SecretBox.from_file(path)
    assert slower.open(faster[0].seal("whsec_x")) == "whsec_x"
    assert [file.name for file in tmp_path.iterdir()] == ["secret.key"]


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    sealed = SecretBox.from_file(tmp_path / "one").seal("whsec_x")
    with pytest.raises(SecretKeyError):
        SecretBox.from_file(tmp_path / "two").open(sealed)


def test_a_file_that_holds_no_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("not a key")
    with pytest.raises(SecretKeyError, match="key"):
        SecretBox.from_file(path)


def test_a_new_secret_is_one_of_standard_webhooks() -> None:
    secret = new_secret()
    assert secret.startswith("whsec_")
    Webhook(secret)
