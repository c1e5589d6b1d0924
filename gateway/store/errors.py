"""What the store raises for its callers to act upon.

StoreError
├── MigrationChanged     a migration that was applied has another text now
├── DoesNotStart         the embedded Postgres does not
├── NotOurs              the directory for its socket is another user's
├── UnknownAccount       no directory of that account was ever applied
├── LoginTaken           the console's login is another account's
├── ClaimedElsewhere     an endpoint, number or context of the node is another account's
├── Fenced               another writes the node's records now
└── AlreadyRunning       of a command that runs once per node at a time
"""

from pathlib import Path


class StoreError(Exception):
    """The tree's root; its text is one line for a person."""


class MigrationChanged(StoreError):
    def __init__(self, name: str) -> None:
        super().__init__(f"sql/{name} was changed after it had been applied: restore it, and add a new migration")


class DoesNotStart(StoreError):
    def __init__(self, directory: Path) -> None:
        super().__init__(f"the embedded Postgres in {directory} does not start: see {directory / 'log'}")


class NotOurs(StoreError):
    def __init__(self, directory: Path) -> None:
        super().__init__(
            f"{directory}, where the embedded Postgres would have its socket, is another user's: "
            "set GATEWAY_DATA_DIR to a shorter path, or XDG_RUNTIME_DIR"
        )


class UnknownAccount(StoreError):
    def __init__(self, account: str) -> None:
        super().__init__(f"no account {account!r}: apply its directory first (gateway apply FILE)")


class LoginTaken(StoreError):
    def __init__(self, login: str) -> None:
        super().__init__(f"the login {login!r} belongs to another account: choose another name")


class ClaimedElsewhere(StoreError):
    def __init__(self, claims: list[tuple[str, str, str, str]]) -> None:
        self.claims = claims
        told = ", ".join(
            f"{kind} {value} on node {node} belongs to account {owner}" for node, kind, value, owner in claims
        )
        super().__init__(told)


class Fenced(StoreError):
    def __init__(self, node: str, epoch: int) -> None:
        super().__init__(f"another writes the records of node {node} now; epoch {epoch} is over")


class AlreadyRunning(StoreError):
    def __init__(self, command: str, node: str) -> None:
        super().__init__(f"another {command} of node {node} is running")
