"""Keys, allowed networks and the audit log on a real Postgres."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.calls.directory import Directory
from gateway.store import audit, directories, keys, networks, request_counts
from gateway.store.admission import look_up
from gateway.store.connection import Pool
from gateway.store.request_counts import Use
from tests.directories import of_another_account

pytestmark = pytest.mark.usefixtures("acme")


async def a_key(pool: Pool) -> str:
    """Its id."""
    parts = keys.split(await keys.create(pool, "acme", "crm", []))
    assert parts is not None
    return parts[0]


async def lives(pool: Pool, key_id: str) -> bool:
    found = await look_up(pool, key_id, None)
    assert found is not None
    return found.live


async def is_allowed(pool: Pool, key_id: str, address: str) -> bool:
    found = await look_up(pool, key_id, str(networks.parse_address(address)))
    assert found is not None
    return found.allowed


async def test_a_key_is_found_by_its_id_and_only_its_hash_is_kept(pool: Pool) -> None:
    key = await keys.create(pool, "acme", "crm", ["calls:read"])
    parts = keys.split(key)
    assert parts is not None
    admission = await look_up(pool, parts[0], None)
    assert admission is not None
    assert (admission.live, admission.allowed) == (True, False)
    found = admission.key
    assert (found.account, found.name, found.scopes) == ("acme", "crm", ("calls:read",))
    assert found.secret_sha256 == parts[1]
    secret = key.removeprefix(f"gw_live_{parts[0]}_")
    assert parts[1] == hashlib.sha256(secret.encode()).digest()
    assert secret not in str(await pool.fetch("select * from api_keys"))


@pytest.mark.parametrize("text", ["", "gw_live_", "gw_live_0123456789ab_short", "GW_LIVE_0123456789ab_" + "a" * 43])
def test_what_has_not_the_form_of_a_key(text: str, acme: Directory) -> None:
    assert keys.split(text) is None


async def test_a_revoked_key_lives_no_more(pool: Pool) -> None:
    key_id, _ = keys.split(await keys.create(pool, "acme", "crm", [])) or ("", b"")
    assert not await keys.revoke(pool, key_id, "another account")
    assert await keys.revoke(pool, key_id, "acme")
    assert not await lives(pool, key_id)
    assert not await keys.revoke(pool, key_id)
    assert [key.id for key in await keys.list_keys(pool, "acme")] == [key_id]


async def test_an_expired_key_lives_no_more(pool: Pool) -> None:
    over = datetime.now(UTC) - timedelta(seconds=1)
    key_id, _ = keys.split(await keys.create(pool, "acme", "crm", [], over)) or ("", b"")
    assert not await lives(pool, key_id)


async def test_the_latest_use_is_noted(pool: Pool) -> None:
    key_id = await a_key(pool)
    [key] = await keys.list_keys(pool)
    assert key.last_used_at is None
    now = datetime.now(UTC)
    later, earlier = Use("acme", key_id, now, "10.1.2.3"), Use("acme", key_id, now - timedelta(seconds=1), "10.9.9.9")
    for use in (later, earlier):
        await request_counts.note_uses(pool, [use])
    [used] = await keys.list_keys(pool)
    assert (used.last_used_at, used.last_used_ip) == (now, "10.1.2.3")


async def test_what_several_processes_count_is_added_up(pool: Pool) -> None:
    one, all_of_it = ("acme", "k1"), ("acme", "")
    assert await request_counts.add(pool, 7, {one: 2, all_of_it: 3}) == {one: 2, all_of_it: 3}
    assert await request_counts.add(pool, 7, {one: 5}) == {one: 7}
    assert await request_counts.add(pool, 8, {one: 1}) == {one: 1}
    await request_counts.forget(pool, 8)
    assert await pool.fetchval("select array_agg(minute) from request_counts") == [8]


@pytest.mark.parametrize(
    ("network", "address", "allowed"),
    [
        ("10.1.0.0/16", "10.1.2.3", True),
        ("10.1.0.0/16", "10.2.0.1", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.0.0/16", "::ffff:10.1.2.3", True),
        ("::ffff:10.1.2.0/120", "10.1.2.3", True),
        ("2001:db8::/32", "2001:db8::1", True),
        ("2001:db8::/32", "10.1.2.3", False),
        ("0.0.0.0/0", "2001:db8::1", False),
        ("::/0", "10.1.2.3", False),
    ],
)
async def test_who_is_in_an_allowed_network(pool: Pool, network: str, address: str, allowed: bool) -> None:
    await networks.allow(pool, "acme", networks.parse_network(network))
    key_id = await a_key(pool)
    assert await is_allowed(pool, key_id, address) is allowed


async def test_the_directory_is_told_as_it_is_now(pool: Pool, acme: Directory) -> None:
    key_id = await a_key(pool)
    before = await look_up(pool, key_id, None)
    renamed = replace(acme, name="Acme & Daughters")
    async with pool.acquire() as connection:
        await directories.apply(connection, renamed)
    after = await look_up(pool, key_id, None)
    assert before is not None
    assert before.directory is not None
    assert after is not None
    assert after.directory is not None
    assert after.directory == await directories.version_of(pool, "acme")
    assert await directories.of_version(pool, before.directory) == acme
    assert await directories.of_version(pool, after.directory) == renamed
    restored = replace(after.directory, applied_at=after.directory.applied_at + timedelta(seconds=1))
    assert await directories.of_version(pool, restored) is None


async def test_an_empty_list_allows_nobody(pool: Pool) -> None:
    assert not await is_allowed(pool, await a_key(pool), "127.0.0.1")


async def test_the_networks_of_another_account_let_nobody_in(pool: Pool, acme: Directory) -> None:
    async with pool.acquire() as connection:
        await directories.apply(connection, of_another_account(acme))
    await networks.allow(pool, "other", networks.parse_network("0.0.0.0/0"))
    assert not await is_allowed(pool, await a_key(pool), "127.0.0.1")


async def test_what_is_removed_is_allowed_no_more(pool: Pool) -> None:
    network = networks.parse_network("10.1.0.0/16")
    assert await networks.allow(pool, "acme", network, "office")
    assert not await networks.allow(pool, "acme", network)
    assert [(one.network, one.note) for one in await networks.list_networks(pool)] == [(network, "office")]
    assert await networks.remove(pool, "acme", network)
    assert not await networks.remove(pool, "acme", network)
    assert not await is_allowed(pool, await a_key(pool), "10.1.2.3")


async def test_the_audit_log_tells_the_newest_first(pool: Pool) -> None:
    await audit.record(pool, "acme", "cli", "key.created", "k1")
    await audit.record(pool, "acme", "key:k1", "call.refused", "+61190", "10.1.2.3", {"code": "destination_blocked"})
    newest, oldest = await audit.newest(pool, "acme")
    assert (newest.action, newest.ip, newest.details) == ("call.refused", "10.1.2.3", {"code": "destination_blocked"})
    assert (oldest.action, oldest.ip, oldest.details) == ("key.created", None, {})
    assert await audit.newest(pool, "acme", before=newest.id) == [oldest]
    assert await audit.newest(pool, "another account") == []
