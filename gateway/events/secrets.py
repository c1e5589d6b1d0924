"""Webhook secrets: made for Standard Webhooks 1.0, encrypted at rest with a key in a file of mode 600."""

import base64
import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken


class SecretKeyError(Exception):
    """The key file cannot be read, or it is not the key with which a secret was encrypted."""


class SecretBox:
    """Encrypts and decrypts webhook secrets."""

    def __init__(self, key: bytes) -> None:
        self._fernet = Fernet(key)

    @classmethod
    def from_file(cls, path: Path) -> "SecretBox":
        """The box whose key is in `path`, which is made, mode 600, where it is absent.

        Raises:
            SecretKeyError: the file cannot be read or holds no key.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                _make_key_file(path)
            return cls(path.read_bytes().strip())
        except (OSError, ValueError) as error:
            raise SecretKeyError(f"{path}: {error}") from error

    def seal(self, secret: str) -> bytes:
        return self._fernet.encrypt(secret.encode())

    def open(self, sealed: bytes) -> str:
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken as error:
            raise SecretKeyError("a webhook secret was encrypted with another key") from error


def _make_key_file(path: Path) -> None:
    """It appears whole or not at all; if another process is faster, it is that one's."""
    descriptor, made = tempfile.mkstemp(prefix=path.name, dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(Fernet.generate_key())
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(made, path)
    finally:
        os.unlink(made)


def new_secret() -> str:
    """`whsec_` and 24 random bytes in base64, as Standard Webhooks has it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
