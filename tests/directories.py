"""The directory that tests without an Asterisk use."""

from dataclasses import replace

from gateway.calls.directory import Directory, Group, Limits, Trunk, User

ACME = Directory(
    account="acme",
    name="Acme Pty Ltd",
    time_zone="Australia/Sydney",
    country="AU",
    nodes=("pbx1",),
    numbers=("+61290000001", "+61290000002", "+61290000003"),
    trunks=(Trunk("carrier", "PJSIP/trunk"),),
    users=(
        User("", "101", "Alice", "+61290000001", ("PJSIP/101-desk", "PJSIP/101-mobile")),
        User("", "102", "Bob", None, ("PJSIP/102",)),
        User("", "103", "Carol", None, ("PJSIP/103",)),
    ),
    queues=(Group("700", "support"),),
    ring_groups=(Group("600", "sales"),),
    limits=Limits(1_000_000, 1_000_000),
)


def of_another_account(directory: Directory) -> Directory:
    """The same names and extensions, and none of its endpoints and numbers, which are one account's alone."""
    users = tuple(User("", user.number, user.name, None, (f"PJSIP/other-{user.number}",)) for user in directory.users)
    return replace(directory, account="other", numbers=(), trunks=(), users=users)
