"""The console in a real Chromium, against the application on uvicorn with a real Postgres."""

import asyncio
import os
import re
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.acceptance.console.application import LOGIN, PASSWORD, Running, running
from tests.acceptance.console.browser import chromium
from tests.acceptance.console.flow import drive_console, make_key, sign_in, test_request, try_call, try_list
from tests.postgres.fresh_database import new_database, running_server


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    with running_server() as url:
        yield url


@pytest.fixture
def gateway(server_url: str, tmp_path: Path) -> Iterator[Running]:
    with running(asyncio.run(new_database(server_url)), tmp_path / "secret.key") as application:
        yield application


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    with chromium(tmp_path / "profile") as driver:
        yield driver


@pytest.fixture
def client(gateway: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.base_url, trust_env=False) as client:
        yield client


def enter(client: httpx.Client, password: str = PASSWORD, **headers: str) -> httpx.Response:
    return client.post("/console/sign-in", data={"login": LOGIN, "password": password}, headers=headers)


def csrf_of(page: str) -> str:
    return page.split('name="csrf_token" value="')[1].split('"')[0]


def fetch(gateway: Running, query: str) -> list[asyncpg.Record]:
    async def ask() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(gateway.database_url)
        try:
            return await connection.fetch(query)
        finally:
            await connection.close()

    return asyncio.run(ask())


def test_a_person_gets_from_signing_in_to_a_tested_request(gateway: Running, browser: Chrome, tmp_path: Path) -> None:
    def call_api(key: str) -> int:
        answer = httpx.get(f"{gateway.base_url}/v1/calls", headers={"Authorization": f"Bearer {key}"}, trust_env=False)
        return answer.status_code

    screenshot = Path(os.environ.get("CONSOLE_SCREENSHOT", tmp_path / "console.png"))
    seen = drive_console(browser, gateway.base_url, LOGIN, PASSWORD, with_key=call_api, screenshot=screenshot)
    assert seen["address"] == seen["prefilled"] == "127.0.0.1"
    assert not seen["address_allowed_before"]
    assert seen["answer_before_allowed"]["status"] == 401
    assert seen["answer_before_allowed"]["answer"]["code"] == "ip_not_allowed"
    assert "Add IP" in seen["answer_before_allowed"]["fault"]
    assert seen["networks"] == ["127.0.0.1/32"]
    assert seen["with_key"] == 200
    assert call_api(seen["key"]) == 401
    for kind in ("user-calls", "queue-calls", "ring-group-calls"):
        assert seen[kind]["method"] == "GET"
        assert seen[kind]["url"].startswith(f"{gateway.base_url}/v1/{kind}?")
        assert (seen[kind]["status"], seen[kind]["answer"]["data"]) == (200, [])
    assert seen["call"]["method"] == "POST"
    assert seen["call"]["url"] == f"{gateway.base_url}/v1/calls"
    assert seen["call"]["body"] == {"user": "101", "to": "+61255501234"}
    assert seen["call"]["status"] == 503
    assert seen["revoked"]
    assert seen["signed_out_at"] == seen["console_after_sign_out"] == "/console/sign-in"
    actions = [record["action"] for record in fetch(gateway, "select action from audit_log order by id")]
    for action in ("console.signed_in", "network.allowed", "key.created", "key.revoked", "console.signed_out"):
        assert action in actions


def test_the_builder_puts_every_field_into_the_url(gateway: Running, browser: Chrome) -> None:
    sign_in(browser, gateway.base_url, LOGIN, PASSWORD)
    told = try_list(
        browser,
        "user-calls",
        **{"from": "2026-11-01", "to": "2026-11-30", "sort": "oldest_first", "user": "101", "offset": "50"},
        limit="30",
    )
    assert told["query"] == {
        "from": ["2026-11-01"],
        "to": ["2026-11-30"],
        "sort": ["oldest_first"],
        "user": ["101"],
        "offset": ["50"],
        "limit": ["30"],
    }
    assert try_list(browser, "queue-calls", queue="support")["query"]["queue"] == ["support"]
    assert try_list(browser, "ring-group-calls", ring_group="sales")["query"]["ring_group"] == ["sales"]


def test_a_destination_that_is_no_number_is_told_before_anything_is_sent(gateway: Running, browser: Chrome) -> None:
    sign_in(browser, gateway.base_url, LOGIN, PASSWORD)
    told = try_call(browser, "102", "0255&PJSIP/9", really=True)
    assert "E.164" in told["fault"]
    assert told["answer"] is None
    assert fetch(gateway, "select from api_keys") == []


def test_names_are_shown_as_text_whatever_they_hold(gateway: Running, browser: Chrome) -> None:
    sign_in(browser, gateway.base_url, LOGIN, PASSWORD)
    make_key(browser, "<img src=x onerror=\"document.title='run'\">")
    assert "<img src=x" in browser.find_element(By.ID, "keys").text
    assert browser.find_elements(By.CSS_SELECTOR, "#keys img, #builder b") == []
    assert "Acme <Pty> & Co" in browser.find_element(By.TAG_NAME, "header").text
    assert "run" not in browser.title
    assert test_request(browser)["status"] == 401


def test_no_page_is_shown_and_nothing_done_without_signing_in(client: httpx.Client, gateway: Running) -> None:
    for path in ("/console", "/"):
        answer = client.get(path, follow_redirects=True)
        assert answer.url.path == "/console/sign-in"
    for path in ("keys", "keys/x/revoke", "networks", "networks/remove", "test-key", "sign-out"):
        assert client.post(f"/console/{path}", data={"name": "x", "scope": "calls:read"}).status_code == 303
    assert fetch(gateway, "select from api_keys union all select from allowed_networks") == []


def test_every_post_needs_the_sessions_token(client: httpx.Client, gateway: Running) -> None:
    assert enter(client).status_code == 303
    for path in ("keys", "keys/x/revoke", "networks", "networks/remove", "test-key", "sign-out"):
        form = {"name": "x", "scope": "calls:read", "network": "10.0.0.1", "csrf_token": "wrong"}
        assert client.post(f"/console/{path}", data=form).status_code == 403
    assert fetch(gateway, "select from api_keys union all select from allowed_networks") == []
    assert client.get("/console").status_code == 200


def test_a_post_from_another_site_is_refused(client: httpx.Client) -> None:
    assert enter(client, origin="https://evil.example").status_code == 403
    assert enter(client, **{"sec-fetch-site": "cross-site"}).status_code == 403


def test_the_cookie_and_the_pages_are_locked_down(client: httpx.Client) -> None:
    cookie = enter(client).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/console" in cookie
    page = client.get("/console")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-store"
    assert "<script>" not in page.text
    assert "style=" not in page.text


def test_guessing_is_slowed_and_noted(client: httpx.Client, gateway: Running) -> None:
    assert [enter(client, "wrong").status_code for _ in range(6)] == [401] * 5 + [429]
    assert enter(client).status_code == 429
    refused = fetch(gateway, "select from audit_log where action = 'console.sign_in_refused'")
    assert len(refused) == 5


def test_a_network_that_is_none_is_told(client: httpx.Client, gateway: Running) -> None:
    enter(client)
    token = csrf_of(client.get("/console").text)
    for network in ("", "300.1.1.1", "10.0.0.0/40", "<script>"):
        answer = client.post("/console/networks", data={"network": network, "csrf_token": token})
        assert answer.status_code == 422
        assert "no IP address" in answer.text
    for network in ("10.1.2.3/8", "10.0.0.0/8"):
        assert client.post("/console/networks", data={"network": network, "csrf_token": token}).status_code == 303
    assert len(fetch(gateway, "select from audit_log where action = 'network.allowed'")) == 1
    assert [str(record["network"]) for record in fetch(gateway, "select network from allowed_networks")] == [
        "10.0.0.0/8"
    ]


def test_an_address_that_was_refused_is_allowed_with_one_click(client: httpx.Client, gateway: Running) -> None:
    enter(client)
    page = client.get("/console").text
    assert 'id="refused"' not in page
    name = "<b>CRM</b>"
    made = client.post("/console/keys", data={"name": name, "scope": "calls:read", "csrf_token": csrf_of(page)}).text
    key = made.split('id="new-key" readonly value="')[1].split('"')[0]
    # A refusal that is old, one of an address that was allowed since, and another account's are no offer.
    fetch(
        gateway,
        "insert into accounts (id, name, time_zone, country, directory_version) values ('other', '', '', '', 1)",
    )
    fetch(
        gateway,
        """
        with told as (
            insert into audit_log (account_id, actor, action, subject, ip, at) values
                ('acme', 'key:x', 'ip.refused', '192.0.2.1', '192.0.2.1', now() - interval '8 days'),
                ('acme', 'key:x', 'ip.refused', '198.51.100.1', '198.51.100.1', now()),
                ('acme', 'key:x', 'key.refused', 'x', '192.0.2.2', now()),
                ('other', 'key:x', 'ip.refused', '192.0.2.3', '192.0.2.3', now())
        )
        insert into allowed_networks (account_id, network) values ('acme', '198.51.100.0/24')
        """,
    )
    for _ in range(2):
        assert client.get("/v1/calls", headers={"token": key}).status_code == 401
    refused = client.get("/console").text.split('<table id="refused">')[1].split("</table>")[0]
    assert re.findall(r'data-refused="([^"]*)"', refused) == ["127.0.0.1"]
    assert "&lt;b&gt;CRM&lt;/b&gt;" in refused
    [(action, form)] = re.findall(r'<form method="post" action="([^"]*)">(.*?)</form>', refused)
    fields = dict(re.findall(r'name="([^"]*)" value="([^"]*)"', form))
    assert client.post(action, data=fields).status_code == 303
    assert client.get("/v1/calls", headers={"token": key}).status_code == 200
    assert 'id="refused"' not in client.get("/console").text


def test_a_test_key_has_one_scope_and_five_minutes(client: httpx.Client, gateway: Running) -> None:
    enter(client)
    token = csrf_of(client.get("/console").text)
    headers = {"x-csrf-token": token}
    assert client.post("/console/test-key", data={"scope": "admin"}, headers=headers).status_code == 422
    made = client.post("/console/test-key", data={"scope": "calls:read"}, headers=headers).json()
    assert made["lasts_seconds"] == 300
    [record] = fetch(gateway, "select scopes, expires_at - created_at as lasts from api_keys")
    assert record["scopes"] == ["calls:read"]
    assert 295 < record["lasts"].total_seconds() <= 300
    assert "Console test request" not in client.get("/console").text


def test_no_password_and_no_token_is_readable_in_the_database(client: httpx.Client, gateway: Running) -> None:
    enter(client)
    [login] = fetch(gateway, "select password_hash from console_logins")
    assert login["password_hash"].startswith("$argon2id$")
    [session] = fetch(gateway, "select token_sha256 from console_sessions")
    assert client.cookies["gateway_console"].encode() not in session["token_sha256"]


def test_signing_out_ends_the_session_for_whoever_has_its_cookie(client: httpx.Client) -> None:
    enter(client)
    cookie = client.cookies["gateway_console"]
    token = csrf_of(client.get("/console").text)
    assert client.post("/console/sign-out", data={"csrf_token": token}).status_code == 303
    answer = client.get("/console", headers={"cookie": f"gateway_console={cookie}"})
    assert answer.status_code == 303
