"""The commands that operators script: output, exit status, one-line errors."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.store import audit
from gateway.store.connection import Pool
from tests.acceptance.command_line.conftest import ROOT, Shell

DIRECTORY = str(ROOT / "asterisk-conf/demo-pbx/directory.yaml")


@pytest.fixture
def on_postgres(shell: Shell, database_url: str) -> Shell:
    shell.settings["GATEWAY_DATABASE_URL"] = database_url
    return shell


async def test_a_directory_is_applied_once_and_shown_first(on_postgres: Shell) -> None:
    shown = await on_postgres.run("apply", DIRECTORY, "--dry-run")
    assert shown.status == 0
    assert "+ user u1: id=u1 number=101 name=Alice" in shown.output
    assert json.loads((await on_postgres.run("status", "--json")).output)["accounts"] == []
    assert (await on_postgres.run("apply", DIRECTORY)).output == shown.output
    assert (await on_postgres.run("apply", DIRECTORY)).output == "nothing changes\n"


async def test_a_directory_that_changed_something_is_on_the_audit_log(on_postgres: Shell, pool: Pool) -> None:
    await on_postgres.run("apply", DIRECTORY, "--dry-run")
    for _ in range(2):
        await on_postgres.run("apply", DIRECTORY)
    [entry] = await audit.newest(pool, "acme")
    assert (entry.actor, entry.action, entry.subject) == ("cli", "directory.applied", Path(DIRECTORY).name)
    assert any(change.startswith("+ user u1: id=u1 number=101") for change in entry.details["changes"])
    assert entry.details["more"] == 0


async def test_every_fault_of_a_directory_with_its_place(on_postgres: Shell, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("account: acme\nname: Acme\ntime_zone: Mars/Olympus\ncountry: AU\nnumbers: ['12']\n")
    done = await on_postgres.run("apply", str(wrong))
    assert done.status == 1
    assert done.output == ""
    lines = done.errors.splitlines()
    assert [line.split(": ")[2:4] for line in lines] == [["line 3", "time_zone"], ["line 5", "numbers[0]"]]


async def test_a_file_that_is_not_there(on_postgres: Shell) -> None:
    done = await on_postgres.run("apply", "nowhere.yaml")
    assert (done.status, done.errors) == (1, "gateway: nowhere.yaml: No such file or directory\n")


async def test_a_claim_of_another_account_is_refused_by_name(on_postgres: Shell, tmp_path: Path) -> None:
    await on_postgres.run("apply", DIRECTORY)
    other = tmp_path / "other.yaml"
    other.write_text(
        "account: other\nname: Other\ntime_zone: UTC\ncountry: AU\nnodes: [pbx1]\n"
        "users: [{number: 101, name: Zoe, devices: [PJSIP/102]}]\n"
    )
    done = await on_postgres.run("apply", str(other))
    assert done.status == 1
    assert done.errors == "gateway: endpoint PJSIP/102 on node pbx1 belongs to account acme\n"
    assert [a["id"] for a in json.loads((await on_postgres.run("status", "--json")).output)["accounts"]] == ["acme"]


async def test_keys_are_made_listed_and_revoked(on_postgres: Shell) -> None:
    await on_postgres.run("apply", DIRECTORY)
    create = ("keys", "create", "--account", "acme", "--name", "crm", "--quiet", "--expires")
    made = await on_postgres.run(*create, "2126-01-31")
    assert made.status == 0
    key_id, _, secret = made.output.strip().removeprefix("gw_live_").partition("_")
    listed = await on_postgres.run("keys", "list", "--json")
    [one] = json.loads(listed.output)
    assert (one["id"], one["name"], one["revoked_at"]) == (key_id, "crm", None)
    assert one["expires_at"] == "2126-02-01 00:00:00+00:00"
    assert (await on_postgres.run(*create, "2020-01-31")).status == 2
    assert secret not in listed.output
    assert (await on_postgres.run("keys", "revoke", key_id)).status == 0
    again = await on_postgres.run("keys", "revoke", key_id)
    assert (again.status, again.errors) == (1, f"gateway: there is no key '{key_id}' that could be revoked\n")
    told = json.loads((await on_postgres.run("audit-log", "--account", "acme", "--json")).output)
    assert [(entry["actor"], entry["action"], entry["subject"]) for entry in told] == [
        ("cli", "key.revoked", key_id),
        ("cli", "key.created", key_id),
        ("cli", "directory.applied", "directory.yaml"),
    ]


async def test_a_login_of_another_account_is_one_line(on_postgres: Shell, tmp_path: Path) -> None:
    """Both would be `admin` if nobody said otherwise."""
    await on_postgres.run("apply", DIRECTORY)
    other = tmp_path / "other.yaml"
    other.write_text("account: other\nname: Other\ntime_zone: UTC\ncountry: AU\n")
    await on_postgres.run("apply", str(other))
    assert (await on_postgres.run("console", "login", "--account", "acme", "--quiet")).status == 0
    done = await on_postgres.run("console", "login", "--account", "other")
    assert (done.status, done.output) == (1, "")
    assert done.errors == "gateway: the login 'admin' belongs to another account: choose another name\n"


async def test_what_the_audit_log_cannot_say_is_not_done(on_postgres: Shell, pool: Pool, tmp_path: Path) -> None:
    await on_postgres.run("apply", DIRECTORY)
    await pool.execute("alter table audit_log add constraint full_disk check (action = '') not valid")
    assert (await on_postgres.run("keys", "create", "--account", "acme", "--name", "crm")).status == 1
    assert (await on_postgres.run("networks", "allow", "--account", "acme", "10.0.0.1")).status == 1
    assert (await on_postgres.run("console", "login", "--account", "acme")).status == 1
    changed = tmp_path / "changed.yaml"
    changed.write_text(Path(DIRECTORY).read_text().replace("Alice", "Alina"))
    assert (await on_postgres.run("apply", str(changed))).status == 1
    assert await pool.fetchval("select count(*) from directory_versions") == 1
    for table in ("api_keys", "allowed_networks", "console_logins"):
        assert await pool.fetch(f"select from {table}") == []


async def test_networks_are_allowed_listed_and_removed(on_postgres: Shell, pool: Pool) -> None:
    await on_postgres.run("apply", DIRECTORY)
    for network in ("::ffff:10.1.2.3/120", "10.1.2.0/24"):
        assert (await on_postgres.run("networks", "allow", "--account", "acme", network, "--note", "hall")).status == 0
    [allowed] = [entry for entry in await audit.newest(pool, "acme") if entry.action == "network.allowed"]
    assert (allowed.subject, allowed.details) == ("10.1.2.0/24", {"note": "hall"})  # Once: nothing changed then.
    [one] = json.loads((await on_postgres.run("networks", "list", "--json")).output)
    assert one["network"] == "10.1.2.0/24"
    assert (await on_postgres.run("networks", "remove", "--account", "acme", "10.1.2.0/24")).status == 0
    assert (await on_postgres.run("networks", "remove", "--account", "acme", "10.1.2.0/24")).status == 1


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["keys", "create", "--account", "nobody", "--name", "x"], 1, "no account 'nobody'"),
        (["keys", "create", "--account", "acme", "--name", "x", "--scope", "all"], 2, "there is no scope 'all'"),
        (["keys", "create", "--account", "acme", "--name", ""], 2, "--name: has 0 characters; from 1 to 255"),
        (["keys", "create", "--account", "acme", "--name", "x" * 5_000], 2, "--name: has 5000 characters"),
        (["keys", "create", "--account", "acme", "--name", "a\nb"], 2, "--name: control characters"),
        (["keys", "list", "--account", "nobody"], 1, "no account 'nobody'"),
        (["networks", "allow", "--account", "acme", "the office"], 2, "'the office' is neither"),
        (["networks", "allow", "--account", "acme", "10.0.0.1", "--note", "\x1b[2J"], 2, "--note: control"),
        (["networks", "list", "--account", "nobody"], 1, "no account 'nobody'"),
        (["networks", "remove", "--account", "nobody", "10.0.0.1"], 1, "no account 'nobody'"),
        (["console", "login", "--account", "acme", "--login", ""], 2, "--login: has 0 characters"),
        (["console", "login", "--account", "acme", "--login", "x" * 201], 2, "--login: has 201 characters"),
    ],
)
async def test_what_is_wrong_is_one_line(on_postgres: Shell, arguments: list[str], status: int, told: str) -> None:
    done = await on_postgres.run(*arguments)
    assert done.status == status
    assert done.errors.startswith(f"gateway: {told}")
    assert done.errors.count("\n") == 1


@pytest.mark.parametrize("group", [[], ["keys"], ["networks"], ["console"], ["gaps"]])
async def test_without_a_command_there_is_the_help_and_nothing_else(shell: Shell, group: list[str]) -> None:
    done = await shell.run(*group)
    assert (done.status, done.errors) == (2, "")
    assert "Usage: " in done.output


async def test_what_is_made_and_taken_back_is_told_to_scripts(on_postgres: Shell) -> None:
    async def told(*arguments: str) -> dict[str, Any]:
        done = await on_postgres.run(*arguments, "--json")
        assert done.status == 0, done.errors
        [one] = json.loads(done.output)
        return dict(one)

    await on_postgres.run("apply", DIRECTORY)
    account = ("--account", "acme")
    scopes = ("--scope", "events:read", "--scope", "calls:read", "--scope", "events:read")
    key = await told("keys", "create", *account, "--name", "crm", *scopes, "--expires", "2126-01-31")
    assert key["key"].startswith(f"gw_live_{key['id']}_")
    assert (key["account"], key["name"], key["scopes"]) == ("acme", "crm", ["calls:read", "events:read"])
    assert key["expires_at"] == "2126-02-01 00:00:00+00:00"
    revoked = await told("keys", "revoke", key["id"])
    assert (revoked["id"], revoked["revoked_at"] is None) == (key["id"], False)
    assert "key" not in revoked
    for _ in range(2):
        allowed = await told("networks", "allow", *account, "10.1.2.3/24", "--note", "office")
        assert (allowed["network"], allowed["note"]) == ("10.1.2.0/24", "office")
    assert await told("networks", "remove", *account, "10.1.2.0/24") == allowed
    login = await told("console", "login", *account)
    assert (login["account"], login["login"], len(login["password"])) == ("acme", "admin", 20)


async def test_a_command_that_does_not_exist_is_wrong_use(shell: Shell) -> None:
    assert (await shell.run("dance")).status == 2


async def test_without_a_database_url_a_command_starts_its_own_for_as_long_as_it_lasts(shell: Shell) -> None:
    assert (await shell.run("migrate")).output.startswith("applied 0001_")
    assert not (shell.directory / "gateway-data/postgres/postmaster.pid").exists()
    assert (await shell.run("migrate")).output == "up to date\n"


async def test_a_database_without_tables_says_what_to_do(shell: Shell) -> None:
    done = await shell.run("status")
    assert done.status == 1
    assert done.errors.endswith("gateway: the database has no tables yet: run `gateway migrate`\n")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://gateway:hush@127.0.0.1:1/gateway", "cannot reach 127.0.0.1, port 1: Connection refused"),
        ("postgresql://gateway:hush@nowhere.invalid/gateway", "cannot reach nowhere.invalid, port 5432: "),
        ("postgresql:///gateway?host=/nowhere&password=hush", "cannot reach /nowhere, port 5432: No such file"),
        ("postgresql://gateway:hush@127.0.0.1/gateway?sslmode=hush", ""),
    ],
)
async def test_a_database_that_cannot_be_reached_is_one_line_without_the_password(
    shell: Shell, url: str, told: str
) -> None:
    shell.settings["GATEWAY_DATABASE_URL"] = url
    done = await shell.run("status")
    assert done.status == 1
    assert done.errors.startswith(f"gateway: GATEWAY_DATABASE_URL: {told}")
    assert done.errors.count("\n") == 1
    assert "hush" not in done.errors


@pytest.mark.parametrize("value", ["/dev/null", "/dev/null/data", "/proc/data", "d" * 300])
async def test_a_data_directory_that_cannot_be_is_one_line_that_names_it(shell: Shell, value: str) -> None:
    shell.settings["GATEWAY_DATA_DIR"] = value
    done = await shell.run("migrate")
    assert (done.status, done.output) == (2, "")
    assert done.errors.startswith(f"gateway: GATEWAY_DATA_DIR: {value}")
    assert done.errors.count("\n") == 1
