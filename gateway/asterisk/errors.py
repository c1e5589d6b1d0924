"""What can go wrong between the gateway and Asterisk.

AmiError
├── NotConnected     nothing was sent: there is no link now
├── LinkLost         sent, never answered: it may or may not have been done
├── ActionTimeout    sent, not answered in time: it may or may not have been done
├── ActionRefused    Asterisk answered with an error: it was not done
├── TooManyActions   nothing was sent: too many answers are awaited already
├── UnsafeValue      nothing was sent: a value that must not reach Asterisk
└── FrameTooLong     the peer sends something that is no AMI frame; the link is cut
"""


class AmiError(Exception):
    """The root of all errors of this package."""


class NotConnected(AmiError):
    """There is no link to Asterisk; `args[0]` says why, as far as it is known."""


class LinkLost(AmiError):
    """The link was lost or closed while an answer was awaited."""


class ActionTimeout(AmiError):
    """No answer within the time given. A late answer is ignored."""


class ActionRefused(AmiError):
    """Asterisk answered `Response: Error`; `message` is its text."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class TooManyActions(AmiError):
    """As many answers as the session allows are awaited already."""


class UnsafeValue(AmiError, ValueError):
    """A value that could change what Asterisk does. Names the field, never the value."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class FrameTooLong(AmiError):
    """More bytes without an end of frame than any AMI frame has."""
