"""From the source to Postgres: read rows, fold them, commit rows, records, events and offset together.

One `Ingest` per node. Whatever fails, the transaction is undone whole and the fold is built anew
from what Postgres holds, so that each row counts exactly once.
"""

from gateway.ingest.ingest import Ingest

__all__ = ["Ingest"]
