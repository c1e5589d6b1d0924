"""Numbers, names and ids of any length, as a dialplan or a peer may set them, cut to what a database can find by.

Asterisk's own have 80 characters, or 150. A row that could not be written would be read again for ever, and
every row behind it would wait.
"""

from collections.abc import Collection, Sequence

MOST_CHARACTERS = 255
"""As many as a client may ask for. An entry of a Postgres index has at most 2704 bytes, a character up to 4."""

SUSPICIOUS = 1000
"""In a row that is no longer all together there is no need to look at each."""


def cut(texts: Sequence[str], whole: Collection[int] = ()) -> list[str]:
    """Each text, cut if it is too long. `whole`: the places of those by which nothing is found."""
    return [text if place in whole else text[:MOST_CHARACTERS] for place, text in enumerate(texts)]
