"""The API as an ASGI application. Serve it without the server's own reading of forwarded headers."""

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from gateway.api import drop_in
from gateway.api.admissions import Admissions
from gateway.api.context import ApiContext
from gateway.api.cors import Cors
from gateway.api.drop_in import envelope
from gateway.api.every_answer import EveryAnswer
from gateway.api.meter import Meter
from gateway.api.openings import Openings
from gateway.api.problems import ProblemMiddleware, answer_http_exception
from gateway.api.routes import ROUTES
from gateway.api.slow_clients import BodyInTime
from gateway.api.slowing import Seldom, WrongKeys
from gateway.api.streams import Exports
from gateway.asterisk.live import Live


def create_app(context: ApiContext, more_routes: Sequence[BaseRoute] = ()) -> Starlette:
    """`more_routes`: those of the layers above, events and console."""
    cors = [Middleware(Cors, context.cors_origins)] if context.cors_origins else []
    app = Starlette(
        routes=[*ROUTES, *more_routes],
        middleware=[
            Middleware(EveryAnswer),
            *cors,
            Middleware(ProblemMiddleware, {drop_in.PREFIX: envelope.of_problem}),
            Middleware(BodyInTime),
        ],
        exception_handlers={HTTPException: answer_http_exception},
    )
    # A path with a slash too many is none; sent elsewhere, a client would be shown what was in the URL.
    app.router.redirect_slashes = False
    app.state.context = context
    app.state.live = Live(context.ami)
    app.state.admissions = Admissions()
    app.state.openings = Openings()
    app.state.meter = Meter(context.pool)
    app.state.wrong_keys = WrongKeys()
    app.state.refusals = Seldom()
    app.state.exports = Exports()
    return app
