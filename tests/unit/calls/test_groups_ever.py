"""Which queue or ring group is the same one from one directory to the next, and what its visits bear."""

import pytest

from gateway.calls.groups_ever import KnownGroup, groups_ever
from gateway.calls.record import GroupRef, VisitKind

KINDS: tuple[VisitKind, ...] = ("queue", "ring_group")


def ref(text: str) -> GroupRef:
    """`700 support`; `- support` has no number."""
    number, _, name = text.partition(" ")
    return GroupRef(None if number == "-" else number, name)


def ever(kind: VisitKind, *versions: str) -> list[KnownGroup]:
    """Each version as `700 support, 701 sales`."""
    return groups_ever([[ref(one) for one in version.split(", ") if one] for version in versions], kind)


def shown(groups: list[KnownGroup]) -> list[str]:
    """A group as `700 helpdesk: 700 support, 700 helpdesk`, with ` gone` where it is."""
    return [
        f"{group.last.number or '-'} {group.last.name}{' gone' if group.removed else ''}: "
        + ", ".join(f"{one.number or '-'} {one.name}" for one in group.refs)
        for group in groups
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_never_changed_bears_one_pair(kind: VisitKind) -> None:
    assert shown(ever(kind, "700 support", "700 support, 701 sales"))[0] == "700 support: 700 support"


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        (("600 sales", "600 sales team"), ["600 sales team: 600 sales, 600 sales team"]),
        (("600 sales", "610 sales"), ["610 sales: 600 sales, 610 sales"]),
        (("600 sales", "", "610 sales"), ["610 sales: 600 sales, 610 sales"]),
        (("600 sales", ""), ["600 sales gone: 600 sales"]),
        (("600 sales", "", "600 service"), ["600 sales gone: 600 sales", "600 service: 600 service"]),
        (("600 sales, 601 sales",), ["600 sales: 600 sales", "601 sales: 601 sales"]),
        (
            ("600 sales, 601 sales", "610 sales"),
            ["600 sales gone: 600 sales", "601 sales gone: 601 sales", "610 sales: 610 sales"],
        ),
        (("600 a, 601 b", "600 b, 601 a"), ["600 b: 600 a, 600 b", "601 a: 601 b, 601 a"]),
        (("600 a", "601 a", "600 a, 601 a"), ["601 a: 601 a", "600 a: 600 a"]),
    ],
)
def test_a_ring_group_is_its_number_and_else_its_name(versions: tuple[str, ...], expected: list[str]) -> None:
    assert shown(ever("ring_group", *versions)) == expected


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        (("700 a", "700 b"), ["700 b: 700 a, 700 b, - a, - b"]),
        (("- a", "700 a"), ["700 a: - a, 700 a"]),
        (("700 a", "710 a"), ["710 a: 700 a, 710 a"]),
        (("700 a, 701 b", "700 b, 701 a"), ["701 a: 700 a, 701 a", "700 b: 701 b, 700 b"]),
        (("700 a", "700 b, 701 a"), ["701 a: 700 a, 701 a", "700 b: 700 b, - b"]),
        (("", "700 a"), ["700 a: 700 a, - a"]),
        (("700 a", ""), ["700 a gone: 700 a, - a"]),
        (("- a", "- b"), ["- a gone: - a", "- b: - b"]),
    ],
)
def test_a_queue_is_its_name_and_else_its_number(versions: tuple[str, ...], expected: list[str]) -> None:
    """Asterisk tells a visit to a queue that is in no directory by its name alone."""
    assert shown(ever("queue", *versions)) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_what_one_bears_no_other_does(kind: VisitKind) -> None:
    groups = ever(kind, "700 a, 701 b", "701 a, 700 b", "702 a", "700 a, - b", "", "700 b, 701 a, 702 c")
    borne = [one for group in groups for one in group.refs]
    assert len(borne) == len(set(borne))
    assert all(group.refs for group in groups)
