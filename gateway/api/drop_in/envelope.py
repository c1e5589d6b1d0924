"""The one form of every answer of the drop-in path, errors too: `code` is the HTTP status."""

from starlette.responses import JSONResponse, Response

from gateway.api.problems import Problem


def success(data: object, message: str = "OK") -> Response:
    """`data`: JSON-ready; a list of rows, or one object."""
    return _answer(200, "success", message, data)


def of_problem(problem: Problem, _: str) -> Response:
    """What was wrong, all of it, in the words of the message: clients show it, and read nothing else."""
    faults = [f"{fault.where.lstrip('/')}: {fault.detail.removesuffix('.')}." for fault in problem.faults]
    told = " ".join(faults) or problem.detail
    answer = _answer(problem.status, "error", told, [])
    answer.headers.update(problem.headers)
    return answer


def _answer(code: int, status: str, message: str, data: object) -> Response:
    return JSONResponse({"code": code, "status": status, "message": message, "data": data}, code)
