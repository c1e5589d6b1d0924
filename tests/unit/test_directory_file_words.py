"""What YAML would make of words and digits, and files that are hardly YAML."""

from pathlib import Path

import pytest

from gateway.directory_file import DirectoryFaults, parse, read

HEAD = "account: acme\nname: Acme\ntime_zone: Europe/Oslo\n"


def test_digits_and_words_stay_as_they_are_written() -> None:
    directory = parse(
        HEAD
        + "country: NO\nnumbers: [+4722000001]\n"
        + "users: [{number: 0101, name: Yes, caller_id: +4722000001}, {number: 102, name: 2026-11-24}]\n"
        + "ring_groups: [{number: 0600, name: on}]\n"
        + "outbound: {calls_per_minute: 5}\n"
    )
    assert directory.country == "NO"
    assert [(user.number, user.name) for user in directory.users] == [("0101", "Yes"), ("102", "2026-11-24")]
    assert directory.users[0].caller_id == "+4722000001"
    assert [(group.number, group.name) for group in directory.ring_groups] == [("0600", "on")]
    assert directory.outbound.calls_per_minute == 5


def test_one_user_may_be_made_from_another() -> None:
    text = (
        "country: NO\nusers:\n  - &a {number: 101, name: A, email: a@x.example}\n  - {<<: *a, number: 102, name: B}\n"
    )
    assert [user.email for user in parse(HEAD + text).users] == ["a@x.example", "a@x.example"]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"account: acme\nname: \xe9\n", 2),
        (b"a: &a [*a]\n", 1),
        (b"[" * 5000, 1),
        (b"", 1),
        (b"account: !!python/object:os.system {}\n", 1),
    ],
)
def test_what_is_hardly_yaml_has_its_line(tmp_path: Path, content: bytes, line: int) -> None:
    file = tmp_path / "directory.yaml"
    file.write_bytes(content)
    with pytest.raises(DirectoryFaults) as caught:
        read(file)
    assert caught.value.faults[0].line == line
