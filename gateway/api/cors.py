"""Browsers of other sites: none may read an answer, but those of the origins that the operator names."""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

PATHS = ("/v1/", "/api/")
METHODS = ("GET", "POST", "PATCH", "DELETE")
REQUEST_HEADERS = ("Authorization", "token", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID")
ANSWER_HEADERS = (
    "X-Request-Id",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "Link",
    "Location",
    "ETag",
    "Idempotent-Replayed",
    "X-As-Of",
    "X-Settled-Until",
)
ANSWER_HOLDS_SECONDS = 600


class Cors(CORSMiddleware):
    """Of the API alone; without cookies, which the API does not read. No origin is `*`: see the settings."""

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=REQUEST_HEADERS,
            expose_headers=ANSWER_HEADERS,
            max_age=ANSWER_HOLDS_SECONDS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ours = scope["type"] == "http" and scope["path"].startswith(PATHS)
        await (super().__call__ if ours else self.app)(scope, receive, send)

    def preflight_response(self, request_headers: Headers) -> Response:
        """Without a word to an origin that is not named: its browser then refuses by itself."""
        answer = super().preflight_response(request_headers)
        if answer.status_code != 200:
            return Response(status_code=204, headers={"Vary": "Origin"})
        kept = {name: value for name, value in answer.headers.items() if not name.startswith("content-")}
        return Response(status_code=204, headers=kept)
