"""The commands that operators script: output, exit status, one-line errors."""

import json
from pathlib import Path

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
        (["networks", "allow", "--account", "acme", "the office"], 2, "'the office' is neither"),
    ],
)
async def test_what_is_wrong_is_one_line(on_postgres: Shell, arguments: list[str], status: int, told: str) -> None:
    done = await on_postgres.run(*arguments)
    assert done.status == status
    assert done.errors.startswith(f"gateway: {told}")
    assert done.errors.count("\n") == 1


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
