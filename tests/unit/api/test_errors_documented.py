"""docs/errors.md is whole: every code that can leave is in it, and none that cannot."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from gateway.api.codes import FAULT_CODES, FaultCode, ProblemCode, of_pydantic

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/errors.md").read_text()
ANSWERS, FAULTS = PAGE.split("## Codes of answers")[1].split("## Codes of faults")
SOURCES = [*(ROOT / "gateway/api").rglob("*.py"), *(ROOT / "gateway/events").rglob("*.py")]


def test_every_code_of_an_answer_is_explained_with_its_status() -> None:
    told = re.findall(r"^\| (\d{3}) \| `(\w+)` \|", ANSWERS, re.MULTILINE)
    assert {code for _, code in told} == set(get_args(ProblemCode))
    assert len(told) == len(get_args(ProblemCode))


def test_every_code_of_a_fault_is_explained() -> None:
    rows = [line.split("|")[1] for line in FAULTS.splitlines() if line.startswith("| `")]
    told = [code for row in rows for code in re.findall(r"`(\w+)`", row)]
    assert sorted(told) == sorted(get_args(FaultCode))


def test_no_code_is_left_that_nothing_raises() -> None:
    raised = set(_texts())
    assert set(get_args(ProblemCode)) | FAULT_CODES <= raised


def test_the_status_that_is_told_is_the_one_that_leaves() -> None:
    told = {code: int(status) for status, code in re.findall(r"^\| (\d{3}) \| `(\w+)` \|", ANSWERS, re.MULTILINE)}
    for name, first, second in _calls():
        if name == "Problem" and isinstance(first, ast.Constant) and isinstance(second, ast.Constant):
            assert told[second.value] == first.value, second.value


def test_what_our_own_validators_find_has_a_code_of_ours() -> None:
    """mypy looks at the codes of Fault and Problem; pydantic takes any text."""
    own = [
        first.value for name, first, _ in _calls() if name == "PydanticCustomError" and isinstance(first, ast.Constant)
    ]
    assert own
    assert set(own) <= FAULT_CODES
    assert [of_pydantic(kind) for kind in ("missing", "string_type", "uuid_parsing", "in_the_past")] == [
        "required",
        "wrong_type",
        "wrong_form",
        "in_the_past",
    ]


def _calls() -> Iterator[tuple[str, ast.expr | None, ast.expr | None]]:
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                yield node.func.id, *[*node.args, None, None][:2]  # type: ignore[misc]


def _texts() -> Iterator[str]:
    """All texts of the sources, once the lists of codes themselves are left out."""
    for source in SOURCES:
        text = source.read_text()
        if source.name == "codes.py":
            text = text[text.index("_OF_PYDANTIC") :]
        yield from re.findall(r'"(\w+)"', text)
