"""GATEWAY_DATA_DIR, there and writable before anything is put in it."""

import os
from errno import EACCES
from pathlib import Path

from gateway.settings import Settings, SettingsError


def made(settings: Settings) -> Path:
    """The directory, made where it is absent.

    Raises:
        SettingsError: it cannot be had.
    """
    path = settings.data_dir
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(EACCES, os.strerror(EACCES))
    except FileExistsError:
        raise SettingsError(f"GATEWAY_DATA_DIR: {path} is no directory") from None
    except (OSError, ValueError) as error:
        raise SettingsError(f"GATEWAY_DATA_DIR: {path}: {getattr(error, 'strerror', None) or error}") from None
    return path
