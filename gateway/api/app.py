"""The API as an ASGI application. Serve it without the server's own reading of forwarded headers."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from gateway.api.context import ApiContext
from gateway.api.problems import ProblemMiddleware, answer_http_exception
from gateway.api.routes import ROUTES
from gateway.api.slowing import WrongKeys


def create_app(context: ApiContext) -> Starlette:
    app = Starlette(
        routes=ROUTES,
        middleware=[Middleware(ProblemMiddleware)],
        exception_handlers={HTTPException: answer_http_exception},
    )
    app.state.context = context
    app.state.wrong_keys = WrongKeys()
    return app
