from pathlib import Path

import pytest
from standardwebhooks import Webhook

from gateway.events.secrets import SecretBox, SecretKeyError, new_secret


def test_the_key_file_is_made_for_its_owner_alone_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secret.key"
    sealed = SecretBox.from_file(path).seal("whsec_x")
    assert path.stat().st_mode & 0o777 == 0o600
    assert SecretBox.from_file(path).open(sealed) == "whsec_x"


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
