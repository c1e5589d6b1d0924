"""The settings: from the environment, or by the same names in `gateway.toml`.

The environment wins. A name that begins with GATEWAY_ and is no setting is an error, as is a
value that cannot be right: better a line before anything starts than a surprise after.
"""

import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeAlias
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from gateway.asterisk.values import IDENTIFIER

PREFIX = "GATEWAY_"
CONFIG_FILE = "GATEWAY_CONFIG"

_LISTEN = re.compile(r"(\[[0-9A-Fa-f:.]+(%[A-Za-z0-9_.-]+)?\]|[A-Za-z0-9_.-]+):[0-9]{1,5}")
_NODE = re.compile(IDENTIFIER)
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""RFC 9110 section 5.6.2."""

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


class SettingsError(Exception):
    """A setting is wrong; the text is one line that names it."""


def _items(value: object) -> object:
    """A list in TOML, or words between commas in the environment."""
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


def _listen(value: object) -> object:
    """`host:port`, `[::1]:8080` for IPv6, and nothing else that a URL may hold."""
    try:
        if _LISTEN.fullmatch(str(value)) and urlsplit(f"//{value}").port is not None:
            return str(value)
    except ValueError:
        pass
    raise ValueError("is not host:port")


def _node(text: str) -> str:
    if not _NODE.fullmatch(text):
        raise ValueError("is no name that a directory can give: letters, digits, _, . and -, 80 at most")
    return text


def _header(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise ValueError("is no name of a header")
    return text


def _parts(value: object) -> SplitResult:
    """The URL's parts; what is none may be a secret, and is not told."""
    try:
        return urlsplit(str(value))
    except ValueError:
        return urlsplit("")


def _port_is_one(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def _ami_url(value: object) -> object:
    if value in (None, ""):
        return None
    parts = _parts(value)
    if (
        parts.scheme != "ami"
        or not parts.hostname
        or not parts.username
        or not parts.password
        or not _port_is_one(parts)
    ):
        raise ValueError("is not ami://user:secret@host:port")
    return str(value)


def _database_url(value: object) -> object:
    if value in (None, ""):
        return None
    parts = _parts(value)
    if parts.scheme not in ("postgresql", "postgres") or not _port_is_one(parts):
        raise ValueError("is not postgresql://…")
    return str(value)


def _origin(text: str) -> str:
    """`https://crm.example`, as browsers write it: never `*`, whose pages are everybody's."""
    parts = _parts(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or not _port_is_one(parts):
        raise ValueError("is no origin such as https://crm.example")
    if text != f"{parts.scheme}://{parts.netloc.lower()}" or "@" in parts.netloc or "*" in parts.netloc:
        raise ValueError("is no origin such as https://crm.example, in small letters and without a path")
    return text


Networks: TypeAlias = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_items)]
Origins: TypeAlias = Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(_items)]
Listen: TypeAlias = Annotated[str, BeforeValidator(_listen)]


class Settings(BaseSettings):
    """All settings. Paths are as given, relative to the working directory."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True)

    database_url: Annotated[str | None, BeforeValidator(_database_url)] = Field(default=None, repr=False)
    data_dir: Path = Path("gateway-data")
    listen: Listen = "127.0.0.1:8080"
    metrics_listen: Listen = "127.0.0.1:9108"
    ami_url: Annotated[str | None, BeforeValidator(_ami_url)] = Field(default=None, repr=False)
    node: Annotated[str, AfterValidator(_node)] | None = None
    cel_journal: Path | None = None
    queue_log: Path | None = None
    trusted_proxies: Networks = ()
    forwarded_header: Annotated[str, AfterValidator(_header)] | None = None
    secret_key_file: Path | None = None
    cors_origins: Origins = ()
    webhook_allowed_networks: Networks = ()
    raw_retention_days: Annotated[int, Field(ge=1, le=36_500)] = 30
    event_retention_days: Annotated[int, Field(ge=30, le=36_500)] = 90

    @property
    def listen_address(self) -> tuple[str, int]:
        parts = urlsplit(f"//{self.listen}")
        assert parts.hostname is not None
        assert parts.port is not None
        return parts.hostname, parts.port

    @property
    def key_file(self) -> Path:
        return self.secret_key_file or self.data_dir / "secret.key"

    @property
    def spool_dir(self) -> Path:
        return self.data_dir / "spool"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What `load` gathered, and nothing behind its back."""
        return (init_settings,)


def load(environment: Mapping[str, str] = os.environ, file: Path | None = None) -> Settings:
    """The settings in force. A variable that is empty counts as absent, as in a compose file.

    Args:
        file: `gateway.toml` in the working directory where None, or what GATEWAY_CONFIG names.

    Raises:
        SettingsError: with one line that names what to change.
    """
    named = environment.get(CONFIG_FILE)
    path = file or (Path(named) if named else Path("gateway.toml"))
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in environment:
        if name.startswith(PREFIX) and name not in known | {CONFIG_FILE}:
            raise SettingsError(f"{name}: there is no such setting")
    values = _from_file(path, known, required=file is not None or named is not None)
    values |= {_field(name): environment[name] for name in known if environment.get(name)}
    try:
        settings = Settings(**values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = PREFIX + str(first["loc"][0]).upper()
        raise SettingsError(f"{name}: {first['msg'].removeprefix('Value error, ')}") from None
    _refuse_halves(settings)
    return settings


def source_files(settings: Settings) -> list[tuple[str, Path]]:
    """Asterisk's files that are read, each with the setting that names it."""
    named = (("GATEWAY_CEL_JOURNAL", settings.cel_journal), ("GATEWAY_QUEUE_LOG", settings.queue_log))
    return [(name, path) for name, path in named if path is not None]


def refuse_files_that_cannot_be(settings: Settings) -> None:
    """What is read while Asterisk is listened to. A file may come later, its folder not: none would be waited for.

    Raises:
        SettingsError: as `load`.
    """
    for name, path in source_files(settings):
        try:
            if path.is_dir():
                raise SettingsError(f"{name}: {path} is a directory: name the file in it")
            if not path.parent.is_dir():
                raise SettingsError(f"{name}: there is no directory {path.parent}")
        except (OSError, ValueError) as error:
            raise SettingsError(f"{name}: {getattr(error, 'strerror', None) or error}") from None


def _refuse_halves(settings: Settings) -> None:
    """What means nothing without another. Proxies without a header would make every client a proxy's address."""
    if settings.trusted_proxies and not settings.forwarded_header:
        raise SettingsError("GATEWAY_TRUSTED_PROXIES: GATEWAY_FORWARDED_HEADER must say which header is theirs")
    if settings.forwarded_header and not settings.trusted_proxies:
        raise SettingsError("GATEWAY_FORWARDED_HEADER: GATEWAY_TRUSTED_PROXIES must say whose header is believed")
    if settings.queue_log and not settings.cel_journal:
        raise SettingsError("GATEWAY_QUEUE_LOG: is read beside GATEWAY_CEL_JOURNAL only")


def _from_file(path: Path, known: set[str], *, required: bool) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        if required:
            raise SettingsError(f"{path}: there is no such file") from None
        return {}
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: is not UTF-8") from None
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: {error}") from None
    for name in values:
        if name not in known:
            raise SettingsError(f"{name} in {path}: there is no such setting")
    return {_field(name): value for name, value in values.items()}


def _field(name: str) -> str:
    return name.removeprefix(PREFIX).lower()
