"""The session behind a request: its cookie, its CSRF token, and what each request must pass."""

import secrets
from collections.abc import Awaitable, Callable
from typing import TypeAlias
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.api.addresses import client_address, over_tls
from gateway.api.bodies import media_type
from gateway.api.context import ApiContext
from gateway.api.problems import DATABASE_AWAY
from gateway.console.pages import HEADERS, sorry
from gateway.store import console
from gateway.store.console import SESSION_LASTS, Session

COOKIE = "gateway_console"
FORM = "application/x-www-form-urlencoded"
MOST_BODY_BYTES = 65_536

Page: TypeAlias = Callable[[Request], Awaitable[Response]]
SessionPage: TypeAlias = Callable[[Request, Session], Awaitable[Response]]


def guarded(answer: Page) -> Page:
    """Refuse what comes from another site or is too long; say so when the database is away."""

    async def guarded_answer(request: Request) -> Response:
        if request.method == "POST":
            length = request.headers.get("content-length", "")
            if not _same_site(request):
                return sorry(403, "This request came from another site.")
            # A body in chunks has the length that its chunks say, whatever stands beside it (RFC 9112 section 6.3).
            if "transfer-encoding" in request.headers or not (length.isascii() and length.isdecimal()):
                return sorry(411, "This request does not tell its length.")
            if len(length) > len(str(MOST_BODY_BYTES)) or int(length) > MOST_BODY_BYTES:
                return sorry(413, "This request is too long.")
            if media_type(request) not in ("", FORM):
                return sorry(415, f"The console's forms are sent as {FORM}.")
        try:
            return await answer(request)
        except DATABASE_AWAY as error:
            if isinstance(error, ValueError):
                raise
            return sorry(503, "The database cannot be reached. Try again in a moment.", {"retry-after": "5"})

    return guarded_answer


def signed_in(context: ApiContext, answer: SessionPage) -> Page:
    """`answer` for whoever is signed in, the sign-in page for others. A POST must carry the session's token."""

    async def session_answer(request: Request) -> Response:
        token = request.cookies.get(COOKIE)
        session = await console.find_session(context.pool, token) if token else None
        if session is None:
            return RedirectResponse("/console/sign-in", 303, headers=HEADERS)
        if request.method == "POST" and not await _carries_token(request, session):
            return sorry(403, "This form is out of date: open the page again.")
        return await answer(request, session)

    return guarded(session_answer)


async def _carries_token(request: Request, session: Session) -> bool:
    given = request.headers.get("x-csrf-token") or str((await request.form()).get("csrf_token", ""))
    return secrets.compare_digest(given.encode(), session.csrf_token.encode())


def _same_site(request: Request) -> bool:
    """Browsers tell where a POST comes from; what tells nothing is no browser."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc == request.headers.get("host")
    except ValueError:
        return False


def seen_address(request: Request, context: ApiContext) -> str:
    """The address that the API would judge; empty if it cannot be known."""
    address = client_address(request, context.trusted_proxies, context.forwarded_header)
    return str(address) if address else ""


def set_cookie(request: Request, context: ApiContext, response: Response, token: str) -> None:
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(SESSION_LASTS.total_seconds()),
        path="/console",
        secure=over_tls(request, context.trusted_proxies),
        httponly=True,
        samesite="strict",
    )


def clear_cookie(response: Response) -> None:
    response.delete_cookie(COOKIE, path="/console", httponly=True, samesite="strict")
