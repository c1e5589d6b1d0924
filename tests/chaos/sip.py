"""Just enough of SIP over UDP for phones that only signal: messages read, messages written."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_SHORT = {
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "l": "content-length",
    "c": "content-type",
}
_TAG = re.compile(r";\s*tag=([^;>\s]+)")
_USER = re.compile(r"sips?:([^@;>]+)@")
_URI = re.compile(r"<([^>]+)>")


@dataclass(frozen=True, slots=True)
class Message:
    """`first`: the request's or status line's words. Header names are lower case, in order."""

    first: tuple[str, ...]
    headers: tuple[tuple[str, str], ...]
    body: str

    @property
    def is_response(self) -> bool:
        return self.first[0].startswith("SIP/")

    @property
    def method(self) -> str:
        """The request's, or that of the request which is answered."""
        return self["cseq"].split()[1] if self.is_response else self.first[0]

    @property
    def status(self) -> int:
        return int(self.first[1])

    @property
    def sequence(self) -> int:
        return int(self["cseq"].split()[0])

    def __getitem__(self, name: str) -> str:
        return next((value for known, value in self.headers if known == name), "")

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known == name]


def parse(data: bytes) -> Message | None:
    """None for keep-alives and whatever else is no message."""
    head, _, body = data.decode("utf-8", "replace").partition("\r\n\r\n")
    lines = re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
    first = tuple(lines[0].split(" ", 2))
    if len(first) < 2:
        return None
    headers = []
    for line in lines[1:]:
        name, _, value = line.partition(":")
        lower = name.strip().lower()
        headers.append((_SHORT.get(lower, lower), value.strip()))
    return Message(first, tuple(headers), body)


def build(first: str, headers: Sequence[tuple[str, str]], body: str = "") -> bytes:
    more = [("Content-Type", "application/sdp")] if body else []
    lines = [first, *(f"{name}: {value}" for name, value in [*headers, *more, ("Content-Length", str(len(body)))])]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def tag(value: str) -> str:
    match = _TAG.search(value)
    return match[1] if match else ""


def user(value: str) -> str:
    """The user part of an address."""
    match = _USER.search(value)
    return match[1] if match else ""


def uri(value: str) -> str:
    match = _URI.search(value)
    return match[1] if match else value.split(";")[0].strip()


def offer(address: str) -> str:
    """A session with one voice, of which no packet is ever sent."""
    return (
        f"v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
        "m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n"
    )
