"""The OpenAPI document, made of the routes, the models that validate, and what is documented of each operation."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.routing import BaseRoute, Route

from gateway.api.answers.problems import ProblemAnswer
from gateway.api.auth import Operation, operation_of
from gateway.api.documented import DOCUMENTED, Documented

VERSION = "1"
ABOUT = """Places calls on the PBX, and tells of every call that it made. Errors are `application/problem+json`; their
codes, paging, time zones and limits are explained in the documentation that comes with the gateway. Keys are made
in the console or with `gateway keys create`, and work from allowed networks only. The paths of the hosted product
(`/api/integration/`) are not in here."""
TEMPLATE = "#/components/schemas/{model}"
PROBLEM = {
    "application/problem+json": {"schema": {"$ref": TEMPLATE.format(model="ProblemAnswer")}},
}
REASONS = {
    400: "The body is not JSON.",
    401: "No key, a wrong one, or an address that is not allowed.",
    403: "The key lacks the scope, or the account may not do this.",
    404: "There is no such resource.",
    405: "The path has no such method; any path may answer so.",
    406: "None of the forms that are accepted is one of ours.",
    408: "The body did not arrive in time.",
    409: "Not as things are now; `code` says why.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    422: "Parameters or fields are wrong; `errors` has all of them.",
    429: "Too many; ask again after Retry-After.",
    500: "A fault of the gateway; its log has the reason under the request_id.",
    503: "Asterisk or the database is away; ask again after Retry-After.",
}
ALWAYS = (401, 403, 422, 429, 500, 503)
WITH_A_BODY = (400, 408, 413, 415)
EVERY_ANSWER = ("X-Request-Id", "Cache-Control")
EVERY_KEYS_ANSWER = (*EVERY_ANSWER, "RateLimit", "RateLimit-Policy")
OF_PROBLEMS = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}
HEADERS = {
    "X-Request-Id": "The request's id, which is also in the gateway's log.",
    "Cache-Control": "No answer may be kept by others, or be used again unasked.",
    "RateLimit": "draft-ietf-httpapi-ratelimit-headers-10: what is left, of the key and of the account.",
    "RateLimit-Policy": "draft-ietf-httpapi-ratelimit-headers-10: the limits.",
    "Allow": "The methods that the path has.",
    "Content-Disposition": "The name of the file that csv or ndjson is.",
    "ETag": "Of a page that can only change by amendments. The same page may be asked for with If-None-Match.",
    "Idempotent-Replayed": "`true`: an earlier request with this Idempotency-Key was answered so.",
    "Link": 'With rel="next", the whole URL of the next page, if there is one.',
    "Location": "Where this is from now on.",
    "Retry-After": "After how many seconds it is worth asking again.",
    "Vary": "The form depends on Accept.",
    "WWW-Authenticate": "How a key is sent.",
    "X-As-Of": "`as_of` of a page, with csv and ndjson.",
    "X-Settled-Until": "`settled_until` of a page, with csv and ndjson; empty where it is null.",
}
NUMBERS = frozenset({"Retry-After"})


def document(routes: Iterable[BaseRoute]) -> str:
    """As JSON text."""
    paths: dict[str, dict[str, Any]] = {}
    models: set[type[BaseModel]] = {ProblemAnswer}
    for method, path, operation, told in operations(routes):
        models |= {model for model in told.answers.values() if model}
        if operation is not None and operation.body is not None:
            models.add(operation.body)
        paths.setdefault(path, {})[method.lower()] = _operation(method, path, operation, told)
    _, schemas = models_json_schema(
        [(model, "validation") for model in sorted(models, key=lambda model: model.__name__)], ref_template=TEMPLATE
    )
    return json.dumps(
        {
            "openapi": "3.1.0",
            "info": {"title": "Telephony gateway", "version": VERSION, "description": " ".join(ABOUT.split())},
            "security": [{"bearer": []}, {"token": []}],
            "paths": paths,
            "components": {
                "schemas": schemas["$defs"],
                "headers": {
                    name: {
                        "description": text,
                        "schema": {"type": "integer", "minimum": 0} if name in NUMBERS else {"type": "string"},
                    }
                    for name, text in HEADERS.items()
                },
                "responses": {
                    "MethodNotAllowed": {
                        "description": REASONS[405],
                        "headers": _headers(*EVERY_ANSWER, "Allow"),
                        "content": PROBLEM,
                    }
                },
                "securitySchemes": {
                    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "gw_live_<id>_<secret>"},
                    "token": {"type": "apiKey", "in": "header", "name": "token"},
                },
            },
        },
        ensure_ascii=False,
    )


def operations(routes: Iterable[BaseRoute]) -> Iterator[tuple[str, str, Operation | None, Documented]]:
    """(method, path, what it needs and reads, what is documented) of each operation that is documented."""
    for route in routes:
        if not isinstance(route, Route):
            continue
        path = re.sub(r"{(\w+):\w+}", r"{\1}", route.path)
        for method in sorted((route.methods or set()) - {"HEAD"}):
            if (method, path) in DOCUMENTED:
                yield method, path, operation_of(route), DOCUMENTED[method, path]


def _operation(method: str, path: str, operation: Operation | None, told: Documented) -> dict[str, Any]:
    document: dict[str, Any] = {"operationId": told.id, "tags": [told.tag], "summary": told.summary}
    names = re.findall(r"{(\w+)}", path)
    parameters = [_path_parameter(path, name) for name in names]
    if operation is None:
        document["security"] = []
    else:
        document["description"] = f"Needs the scope `{operation.scope}`."
        document["x-scope"] = operation.scope
        if operation.query is not None:
            parameters += list(_query_parameters(operation.query, told.parameters))
        if told.idempotent:
            parameters.append(_idempotency_key())
        if 304 in told.answers:
            parameters.append(_if_none_match())
        if operation.body is not None:
            schema = {"$ref": TEMPLATE.format(model=operation.body.__name__)}
            document["requestBody"] = {
                "required": True,
                "content": {"application/json": {"schema": schema, "example": told.body}},
            }
    if parameters:
        document["parameters"] = parameters
    document["responses"] = _responses(method, operation, told, bool(names))
    return document


def _path_parameter(path: str, name: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "minLength": 1}
    if path.startswith("/v1/calls/"):
        schema = {"type": "string", "format": "uuid"}
    told = {"name": name, "in": "path", "required": True, "schema": schema}
    return told | {"example": "192.0.2.0/24"} if name == "network" else told


def _query_parameters(model: type[BaseModel], examples: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    for name, of_it in schema.get("properties", {}).items():
        told = _without_null(_inlined(of_it, definitions))
        told.pop("title", None)
        parameter = {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": told}
        if "description" in told:
            parameter["description"] = told.pop("description")
        if name in examples:
            parameter["example"] = examples[name]
        yield parameter


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that is not sent is not null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    told = {name: value for name, value in schema.items() if name != "anyOf" and (name, value) != ("default", None)}
    if len(kinds) == 1:
        return {**told, **kinds[0]}
    return told | {"anyOf": kinds} if kinds else told


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
        return {name: _inlined(value, definitions) for name, value in schema.items()}
    return [_inlined(item, definitions) for item in schema] if isinstance(schema, list) else schema


def _idempotency_key() -> dict[str, Any]:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "The same request again within 24 hours gets the first answer, and nothing rings twice.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    }


def _if_none_match() -> dict[str, Any]:
    return {
        "name": "If-None-Match",
        "in": "header",
        "required": False,
        "description": "The ETag of the page that is known: 304 if it is still right.",
        "schema": {"type": "string"},
    }


def _link(operation: str) -> dict[str, Any]:
    """To the operation of this id: what its path needs is in the answer under the same name."""
    (path,) = (path for (_, path), told in DOCUMENTED.items() if told.id == operation)
    parameters = {name: f"$response.body#/{name}" for name in re.findall(r"{(\w+)}", path)}
    return {"operationId": operation, "parameters": parameters}


def _responses(method: str, operation: Operation | None, told: Documented, has_path: bool) -> dict[str, Any]:
    always = EVERY_ANSWER if operation is None else EVERY_KEYS_ANSWER
    responses: dict[str, Any] = {}
    for status, model in told.answers.items():
        responses[str(status)] = {
            "description": told.summary,
            "headers": _headers(*always, *told.headers.get(status, ())),
        }
        if model is not None:
            content: dict[str, Any] = {"application/json": {"schema": {"$ref": TEMPLATE.format(model=model.__name__)}}}
            content |= {form: {"schema": {"type": "string"}} for form in told.also}
            responses[str(status)]["content"] = content
        if told.leads_to and status == next(iter(told.answers)):
            responses[str(status)]["links"] = {one: _link(one) for one in told.leads_to}
    if operation is None:
        return responses
    problems = {*ALWAYS, *told.problems}
    if method != "GET":  # Also where no body is asked for: one that says something is refused.
        problems |= set(WITH_A_BODY)
    if has_path:
        problems.add(404)
    for status in sorted(problems):
        own = (*OF_PROBLEMS.get(status, ()), *told.headers.get(status, ()))
        responses[str(status)] = {
            "description": REASONS[status],
            # Whose key is not known has no limit of requests.
            "headers": _headers(*(EVERY_ANSWER if status == 401 else EVERY_KEYS_ANSWER), *own),
            "content": PROBLEM,
        }
    return responses


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
