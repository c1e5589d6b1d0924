"""Where the manager interface is and as whom to sign in: `ami://user:secret@host:port`."""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

DEFAULT_PORT = 5038


@dataclass(frozen=True, slots=True)
class AmiAddress:
    """`secret` is left out of `repr`, so that no log line can hold it."""

    host: str
    port: int
    username: str
    secret: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def parse_ami_url(url: str) -> AmiAddress:
    """User and secret may be percent-encoded.

    Raises:
        ValueError: not of this form. The message never holds the URL: a secret is in it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORT
    except ValueError:
        raise ValueError("not a URL of the form ami://user:secret@host:port") from None
    if parts.scheme != "ami" or not parts.hostname or not parts.username or parts.password is None:
        raise ValueError("not a URL of the form ami://user:secret@host:port")
    return AmiAddress(parts.hostname, port, unquote(parts.username), unquote(parts.password))
