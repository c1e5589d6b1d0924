"""Where a list goes on, as clients follow it (RFC 8288)."""

from urllib.parse import urlencode

from starlette.requests import Request

from gateway.api.addresses import over_tls
from gateway.api.context import context_of


def link(request: Request, **parameters: object) -> dict[str, str]:
    """The header `Link` with the whole URL: this request's, with these parameters changed; None: without it.

    Behind a proxy that speaks TLS it begins with https, lest a client send its key in the clear.
    """
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in parameters]
    changed = [(name, value) for name, value in parameters.items() if value is not None]
    scheme = {"scheme": "https"} if over_tls(request, context_of(request).trusted_proxies) else {}
    url = request.url.replace(query=urlencode([*kept, *changed]), **scheme)
    return {"Link": f'<{url}>; rel="next"'}
