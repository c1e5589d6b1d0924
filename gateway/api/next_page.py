"""Where a list goes on, as clients follow it (RFC 8288)."""

from starlette.requests import Request

from gateway.api.addresses import over_tls
from gateway.api.context import context_of


def link(request: Request, **parameters: object) -> dict[str, str]:
    """The header `Link` with the whole URL: this request's, with these parameters changed; None: without it.

    Behind a proxy that speaks TLS it begins with https, lest a client send its key in the clear.
    """
    gone = [name for name, value in parameters.items() if value is None]
    changed = {name: value for name, value in parameters.items() if value is not None}
    url = request.url.remove_query_params(gone).include_query_params(**changed)
    if over_tls(request, context_of(request).trusted_proxies):
        url = url.replace(scheme="https")
    return {"Link": f'<{url}>; rel="next"'}
