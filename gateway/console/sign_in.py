"""Signing in and out."""

from math import ceil
from time import monotonic

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.api.addresses import neighbourhood
from gateway.api.context import ApiContext
from gateway.console.pages import HEADERS, page
from gateway.console.sign_in_limit import SignInLimit
from gateway.console.signed_in import COOKIE, clear_cookie, seen_address, set_cookie
from gateway.store import audit, console
from gateway.store.console import Session


class SignIn:
    """The sign-in page, and how often one may guess at it."""

    def __init__(self, context: ApiContext) -> None:
        self._context = context
        self._limit = SignInLimit()

    async def show(self, _: Request) -> Response:
        return page("sign_in.html", {"title": "Sign in", "login": "", "wrong": ""})

    async def enter(self, request: Request) -> Response:
        form = await request.form()
        login, password = str(form.get("login", "")).replace("\0", "")[:200], str(form.get("password", ""))[:1000]
        ip = seen_address(request, self._context)
        subjects = (f"address {neighbourhood(ip)}", f"login {login}")
        wait = self._limit.wait(monotonic(), *subjects)
        if wait > 0:
            return _again(login, "Too many attempts. Wait a few minutes.", 429, {"retry-after": str(ceil(wait))})
        # Counted before the password is looked at, so that many at once gain nothing.
        self._limit.failed(monotonic(), *subjects)
        pool = self._context.pool
        account = await console.check_login(pool, login, password)
        if account is None:
            owner = await console.account_of_login(pool, login)
            if owner is not None:
                await audit.record(pool, owner, f"login:{login}", "console.sign_in_refused", login, ip or None)
            return _again(login, "Wrong login or password.", 401)
        self._limit.succeeded(*subjects)
        token = await console.sign_in(pool, account, login)
        await audit.record(pool, account, f"login:{login}", "console.signed_in", login, ip or None)
        response = RedirectResponse("/console", 303, headers=HEADERS)
        set_cookie(request, self._context, response, token)
        return response

    async def leave(self, request: Request, session: Session) -> Response:
        pool = self._context.pool
        await console.sign_out(pool, request.cookies[COOKIE])
        ip = seen_address(request, self._context)
        await audit.record(
            pool, session.account, f"login:{session.login}", "console.signed_out", session.login, ip or None
        )
        response = RedirectResponse("/console/sign-in", 303, headers=HEADERS)
        clear_cookie(response)
        return response


def _again(login: str, wrong: str, status: int, headers: dict[str, str] | None = None) -> Response:
    return page("sign_in.html", {"title": "Sign in", "login": login, "wrong": wrong}, status, headers)
