"""The directory file: what is read, and every fault with its place."""

from pathlib import Path

import pytest

from gateway.calls.directory import Group, Limits, Outbound, Trunk, User
from gateway.directory_file import DirectoryFaults, parse, read

DEMO = Path(__file__).parents[2] / "asterisk-conf/demo-pbx/directory.yaml"

HEAD = """\
account: acme
name: Acme
time_zone: Australia/Sydney
country: AU
"""


def faults(text: str) -> list[tuple[int, str]]:
    """(line, place) of each fault of the text."""
    with pytest.raises(DirectoryFaults) as caught:
        parse(text)
    return [(fault.line, fault.place) for fault in caught.value.faults]


def test_a_whole_directory() -> None:
    directory = parse(
        HEAD
        + """\
nodes: [pbx1]
numbers: ["(02) 9000 0001", "+61290000002"]
trunks:
  - {name: carrier, endpoint: PJSIP/trunk, shared: true}
users:
  - number: 101
    name: Alice
    caller_id: "0290000001"
    devices: [PJSIP/101-desk, PJSIP/101-mobile]
    mailbox: 101@default
  - {id: u7, number: "102", name: Bob}
queues:
  - {number: "700", name: support}
ring_groups:
  - {number: "600", name: sales}
outbound: {deny: ["+61190"], calls_per_minute: 5}
limits: {requests_per_minute_per_key: 60}
"""
    )
    assert directory.numbers == ("+61290000001", "+61290000002")
    assert directory.trunks == (Trunk("carrier", "PJSIP/trunk", True),)
    assert directory.users == (
        User("", "101", "Alice", "+61290000001", ("PJSIP/101-desk", "PJSIP/101-mobile"), "101@default"),
        User("u7", "102", "Bob"),
    )
    assert directory.queues == (Group("700", "support"),)
    assert directory.ring_groups == (Group("600", "sales"),)
    assert directory.outbound == Outbound(deny=("+61190",), calls_per_minute=5)
    assert directory.limits == Limits(6000, 60)


def test_the_demo_directory_is_one() -> None:
    assert [user.name for user in read(DEMO).users][:2] == ["Alice", "Bob"]


def test_all_faults_are_told_at_once_in_the_order_of_the_file() -> None:
    assert faults(
        HEAD
        + """\
colour: red
users:
  - {number: "10a", name: Alice}
  - number: "102"
    devices: [PJSIP/102, "SIP/103"]
"""
    ) == [(5, "colour"), (7, "users[0].number"), (8, "users[1].name"), (9, "users[1].devices[1]")]


def test_faults_that_no_single_field_shows() -> None:
    assert faults(
        HEAD
        + """\
numbers: ["+61290000001", "02 9000 0001", "12"]
users:
  - {number: "101", name: Alice, caller_id: "+61290000009", devices: [PJSIP/101]}
  - {number: "101", name: Bob, devices: [PJSIP/101]}
queues:
  - {number: "101", name: support}
"""
    ) == [
        (5, "numbers[1]"),
        (5, "numbers[2]"),
        (7, "users[0].caller_id"),
        (8, "users[1].number"),
        (8, "users[1].devices[0]"),
        (10, "queues[0].number"),
    ]


def test_a_key_that_is_there_twice_is_a_fault_not_a_choice() -> None:
    assert faults(HEAD + "name: Other\n") == [(5, "name")]


@pytest.mark.parametrize(
    ("line", "place"), [("time_zone: Mars/Olympus", (3, "time_zone")), ("country: ZZ", (4, "country"))]
)
def test_places_that_do_not_exist(line: str, place: tuple[int, str]) -> None:
    name = line.partition(":")[0]
    text = "".join(line + "\n" if old.startswith(name) else old for old in HEAD.splitlines(keepends=True))
    assert faults(text) == [place]


@pytest.mark.parametrize(
    "device",
    ["PJSIP/101&PJSIP/102", "PJSIP/101,30", "PJSIP/${SHELL(id)}", "PJSIP/101\nx", "Local/1@x", "PJSIP/-x", "PJSIP/.x"],
)
def test_a_device_is_an_endpoint_name_and_nothing_else(device: str) -> None:
    assert [place for _, place in faults(HEAD + f"users: [{{number: '101', name: A, devices: [{device!r}]}}]\n")]


@pytest.mark.parametrize("text", ["\\0", "a\\tb", "a\\nb", "\\e[31m", "a\\u2028b", "\\x9b", "x" * 256])
@pytest.mark.parametrize("field", ["name", "mailbox", "email", "external_id"])
def test_a_free_text_is_one_line_that_can_be_shown(field: str, text: str) -> None:
    user = {"number": "'101'", "name": "Alice", field: f'"{text}"'}
    lines = "users:\n- " + "\n  ".join(f"{name}: {value}" for name, value in user.items()) + "\n"
    [(line, place)] = faults(HEAD + lines)
    assert (line, place) == (6 + list(user).index(field), f"users[0].{field}")


@pytest.mark.parametrize("place", ["name: ", "trunks: [{endpoint: PJSIP/x, name: ", "queues: [{name: "])
@pytest.mark.parametrize("name", ["a\\nb", " ", ""])
def test_so_are_names(place: str, name: str) -> None:
    text = HEAD.replace("name: Acme\n", "" if place == "name: " else "name: Acme\n")
    told = faults(text + f'{place}"{name}"' + ("}]" if "[" in place else ""))
    assert len(told) == 1
    assert told[0][1].endswith("name")


@pytest.mark.parametrize("name", ["Zoë\N{NO-BREAK SPACE}Å", "\N{IDEOGRAPHIC SPACE}山", "क\N{ZERO WIDTH JOINER}ष", "☎️"])
def test_a_name_of_any_script_is_one(name: str) -> None:
    assert parse(HEAD + f"users: [{{number: '101', name: '{name}'}}]\n").users[0].name == name


def test_a_fault_is_one_line_whatever_is_in_the_file() -> None:
    with pytest.raises(DirectoryFaults) as caught:
        parse(HEAD + '"col\\nour\\e[31m": red\n')
    assert str(caught.value).startswith("line 5: col\\nour\\x1b[31m: ")


def test_text_that_is_no_yaml_says_where() -> None:
    assert faults(HEAD + "users: [\n")[0][0] in (5, 6)


@pytest.mark.parametrize("text", ["", "- a\n", "acme\n", "account: !!python/object:os.system {}\n", "? [a]\n: b\n"])
def test_what_is_no_directory_at_all(text: str) -> None:
    assert faults(text)
