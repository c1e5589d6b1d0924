"""The console's table of contents."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from gateway.api.context import ApiContext
from gateway.console.integration import Integration
from gateway.console.sign_in import SignIn
from gateway.console.signed_in import guarded, signed_in

STATIC = Path(__file__).parent / "static"


def console_routes(context: ApiContext) -> list[BaseRoute]:
    """`/console` and what is under it; `/` leads there."""
    sign_in = SignIn(context)
    integration = Integration(context)
    return [
        Route("/", _to_console),
        Route("/console/", _to_console),
        Route("/console", signed_in(context, integration.show)),
        Route("/console/sign-in", guarded(sign_in.show)),
        Route("/console/sign-in", guarded(sign_in.enter), methods=["POST"]),
        Route("/console/sign-out", signed_in(context, sign_in.leave), methods=["POST"]),
        Route("/console/keys", signed_in(context, integration.make_key), methods=["POST"]),
        Route("/console/keys", _to_console),
        Route("/console/keys/{key_id}/revoke", signed_in(context, integration.revoke_key), methods=["POST"]),
        Route("/console/networks", signed_in(context, integration.add_network), methods=["POST"]),
        Route("/console/networks", _to_console),
        Route("/console/networks/remove", signed_in(context, integration.remove_network), methods=["POST"]),
        Route("/console/test-key", signed_in(context, integration.make_test_key), methods=["POST"]),
        Mount("/console/static", StaticFiles(directory=STATIC)),
    ]


async def _to_console(_: Request) -> Response:
    return RedirectResponse("/console", 303)
