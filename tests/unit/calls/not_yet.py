"""What is known to break a property of the fold as yet; to be emptied."""

from collections.abc import Mapping

NOT_YET: Mapping[str, frozenset[str]] = {}
"""Property → the recordings that break it: `demo/queue_answered`, or in one form only `demo/queue_answered-ami`."""
