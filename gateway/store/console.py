"""Who may sign in to the console, and who is signed in. Passwords are kept as argon2id, tokens as SHA-256."""

import asyncio
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gateway.store.connection import Connection, Pool
from gateway.store.errors import LoginTaken, UnknownAccount

SESSION_LASTS = timedelta(hours=8)
LEAST_PASSWORD_LENGTH = 8

_hasher = PasswordHasher()
_NOBODYS_HASH = _hasher.hash(secrets.token_urlsafe(16))


@dataclass(frozen=True, slots=True)
class Session:
    account: str
    login: str
    csrf_token: str
    expires_at: datetime


async def set_login(connection: Connection | Pool, account: str, login: str, password: str) -> None:
    """Give `login` this password, and `account` to see. Sessions that were open are signed out.

    Raises:
        ValueError: the password is shorter than `LEAST_PASSWORD_LENGTH`.
        UnknownAccount: no directory of that account was applied.
        LoginTaken: it is another account's.
    """
    if len(password) < LEAST_PASSWORD_LENGTH:
        raise ValueError(f"a password has at least {LEAST_PASSWORD_LENGTH} characters")
    if not await connection.fetchval("select exists (select from accounts where id = $1)", account):
        raise UnknownAccount(account)
    password_hash = await asyncio.to_thread(_hasher.hash, password)
    written = await connection.fetchval(
        """
        insert into console_logins (account_id, login, password_hash) values ($1, $2, $3)
        on conflict (login) do update set password_hash = excluded.password_hash
        where console_logins.account_id = excluded.account_id
        returning login
        """,
        account,
        login,
        password_hash,
    )
    if written is None:
        raise LoginTaken(login)
    await connection.execute("delete from console_sessions where account_id = $1 and login = $2", account, login)


async def account_of_login(connection: Connection | Pool, login: str) -> str | None:
    account: str | None = await connection.fetchval("select account_id from console_logins where login = $1", login)
    return account


async def check_login(connection: Connection | Pool, login: str, password: str) -> str | None:
    """The account that `login` sees, if the password is right. An unknown login takes as long as a known one."""
    record = await connection.fetchrow("select account_id, password_hash from console_logins where login = $1", login)
    password_hash = record["password_hash"] if record else _NOBODYS_HASH
    right = await asyncio.to_thread(_verify, password_hash, password)
    return str(record["account_id"]) if record and right else None


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


async def sign_in(connection: Connection | Pool, account: str, login: str) -> str:
    """Open a session; its token, told this once. Sessions that are over are removed."""
    token = secrets.token_urlsafe(32)
    await connection.execute("delete from console_sessions where expires_at <= now()")
    await connection.execute(
        "insert into console_sessions (account_id, token_sha256, login, csrf_token, expires_at) "
        "values ($1, $2, $3, $4, now() + $5::interval)",
        account,
        _digest(token),
        login,
        secrets.token_urlsafe(32),
        SESSION_LASTS,
    )
    return token


async def find_session(connection: Connection | Pool, token: str) -> Session | None:
    """The session of this token, if it is not over."""
    record = await connection.fetchrow(
        "select account_id, login, csrf_token, expires_at from console_sessions "
        "where token_sha256 = $1 and expires_at > now()",
        _digest(token),
    )
    return Session(*record.values()) if record else None


async def sign_out(connection: Connection | Pool, token: str) -> None:
    await connection.execute("delete from console_sessions where token_sha256 = $1", _digest(token))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
