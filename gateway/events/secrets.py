"""Webhook secrets: made for Standard Webhooks 1.0, encrypted at rest with a key in a file of mode 600."""

import base64
import os
import secrets
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
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                return cls(path.read_bytes().strip())
            with os.fdopen(descriptor, "wb") as file:
                key = Fernet.generate_key()
                file.write(key)
            return cls(key)
        except (OSError, ValueError) as error:
            raise SecretKeyError(f"{path}: {error}") from error

    def seal(self, secret: str) -> bytes:
        return self._fernet.encrypt(secret.encode())

    def open(self, sealed: bytes) -> str:
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken as error:
            raise SecretKeyError("a webhook secret was encrypted with another key") from error


def new_secret() -> str:
    """`whsec_` and 24 random bytes in base64, as Standard Webhooks has it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
