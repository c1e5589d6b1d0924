"""AMI's wire: bytes to frames (reading) and back (what may be written).

A frame is lines `Name: value`, each ended by CR LF, and an empty line. Nothing is escaped, so
a value that holds CR or LF is another header, or another action: `check_header` refuses it.
Bytes are decoded one complete frame at a time; a character split over two reads stays whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.asterisk.errors import FrameTooLong, UnsafeValue

MAX_FRAME_BYTES = 1 << 20

_END_OF_FRAME = b"\r\n\r\n"
_FORBIDDEN = frozenset("\r\n\0")
_NONE_REPEATED: Mapping[str, tuple[str, ...]] = {}


@dataclass(frozen=True, slots=True)
class Frame:
    """`headers`: the first value of each name; `repeated`: all values of the names that came more than once."""

    headers: dict[str, str]
    repeated: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NONE_REPEATED)


class FrameSplitter:
    """Collects reads and gives back the complete frames in them, undecoded."""

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._buffer = bytearray()
        self._max = max_frame_bytes

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that `data` completed, without their line ends at either side.

        Asterisk ends some frames with one empty line too many: empty frames are left out.

        Raises:
            FrameTooLong: no end of frame within the bytes allowed.
        """
        buffer = self._buffer
        unsearched = max(len(buffer) - len(_END_OF_FRAME) + 1, 0)
        buffer += data
        end = buffer.rfind(_END_OF_FRAME, unsearched)
        complete = b""
        if end >= 0:
            complete = bytes(buffer[:end])
            del buffer[: end + len(_END_OF_FRAME)]
        if len(buffer) > self._max:
            raise FrameTooLong(f"{len(buffer)} bytes without an end of frame")
        return [frame for part in complete.split(_END_OF_FRAME) if (frame := part.strip(b"\r\n"))]


def event_name(frame: bytes) -> bytes | None:
    """The name of the event that `frame` is, told without decoding it; None if it is no event."""
    if not frame.startswith(b"Event: "):
        return None
    end = frame.find(b"\r\n")
    return frame[7:] if end < 0 else frame[7:end]


def parse(frame: bytes) -> Frame:
    """Decodes one frame. Lines that are no header (the greeting) are left out; bad UTF-8 and NUL are replaced."""
    lines = frame.replace(b"\0", b"?").decode("utf-8", "replace").split("\r\n")
    headers = _plain(lines)
    if headers is not None:
        return Frame(headers)
    headers = {}
    repeated: dict[str, tuple[str, ...]] | None = None
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            continue
        value = value[1:] if value.startswith(" ") else value
        if name not in headers:
            headers[name] = value
            continue
        repeated = repeated if repeated is not None else {}
        repeated[name] = (*repeated.get(name, (headers[name],)), value)
    return Frame(headers) if repeated is None else Frame(headers, repeated)


def _plain(lines: list[str]) -> dict[str, str] | None:
    """The headers, if each is written as Asterisk writes them and has a name of its own: nearly all frames are so."""
    try:
        headers = dict([line.split(": ", 1) for line in lines])
    except ValueError:
        return None
    return headers if len(headers) == len(lines) and ":" not in "".join(headers) else None


def check_header(name: str, value: str) -> None:
    """Lets only through what stays one header on the wire.

    Raises:
        UnsafeValue: CR, LF or NUL in it, a colon in the name, or text that UTF-8 cannot express.
    """
    if not name or ":" in name or not _FORBIDDEN.isdisjoint(name) or not name.isascii():
        raise UnsafeValue("header name", "holds a character that ends a header")
    if not _FORBIDDEN.isdisjoint(value):
        raise UnsafeValue(name, "holds CR, LF or NUL")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise UnsafeValue(name, "cannot be encoded as UTF-8") from None
