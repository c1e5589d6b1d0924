"""What a run of chaos looks for. Apart, as who verifies on a fresh clone has no packages yet."""

FAULTS = (
    "lost",
    "doubled",
    "without_end",
    "wrong_outcome",
    "wrong_answerer",
    "unexplained_incomplete",
    "gap_not_told",
    "never_made",
    "sequence_holes",
    "started_or_ended_not_once",
    "dialled_twice",
)
"""What must not be: all of them 0."""
