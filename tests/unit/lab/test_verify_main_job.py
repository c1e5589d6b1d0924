"""What `make verify-main-job` concludes, from clones in which every command is played."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import pytest

from tests.lab.fresh_clone import Clone, Failed, passed
from tests.lab.verify_main_job import EVENTS, SHOWN_BY, verified

Answer = tuple[int, str]
CALL = {"outcome": "answered", "attempts": [{"result": "answered"}, {"result": "answered_elsewhere"}]}
MEASURED = {"rang_apart_ms": 2.5, "talk_differs_seconds": 0.01, "webhooks": EVENTS * 2, "webhooks_refused": 0}
PLACING = {"rounds": 20, "ratio": 1.2, "more_ms": 4.0}
STEPS = ["test_cold", "demo_cold", "demo_warm", "demo_journal", "placing", "test_warm"]


def demo(source: str = "ami", **figures: Any) -> Answer:
    told = {"source": source, "click_to_call": CALL, "inbound": CALL, "figures": MEASURED | figures}
    return 0, f"[ 1.0 s] starting\n{json.dumps(told)}\n"


ALL_WELL: dict[str, Answer] = {
    "test_cold": (0, "== 1500 passed, 2 warnings in 900.00s ==\n"),
    "demo_cold": demo(),
    "demo_warm": demo(rang_apart_ms=4.0),
    "demo_journal": demo("journal", talk_differs_seconds=0.03),
    "placing": (0, json.dumps(PLACING)),
    "test_warm": (0, "== 1500 passed in 800.00s ==\n"),
}


@dataclass(frozen=True)
class PlayedClone(Clone):
    """Answers each step; a step of tests leaves the report that pytest would."""

    answers: Mapping[str, Answer] = field(default_factory=dict)
    absent: str = ""
    asked: list[str] = field(default_factory=list)

    def try_to_run(self, step: str, *command: str) -> tuple[float, int, str]:
        self.asked.append(step)
        if "PYTEST_ADDOPTS" in self.environment:
            names = [f"{name}[one]" for names in SHOWN_BY.values() for name in names if name != self.absent]
            cases = "".join(
                f"<testcase classname={quoteattr(name.rpartition('.')[0])} name={quoteattr(name.rpartition('.')[2])}/>"
                for name in names
            )
            Path(self.environment["PYTEST_ADDOPTS"].partition("=")[2]).write_text(f"<testsuite>{cases}</testsuite>")
        return 12.5, *self.answers[step]


@pytest.fixture
def clone(tmp_path: Path) -> PlayedClone:
    return PlayedClone(tmp_path / "clone", {}, ALL_WELL)


def test_each_step_is_asked_for_once_and_every_figure_is_told(clone: PlayedClone) -> None:
    figures, held = verified(clone, clone)
    assert clone.asked == STEPS
    assert all(held.values()), held
    assert [figures[f"{step}_seconds"] for step in STEPS] == [12.5] * 6
    assert (figures["rang_apart_ms"], figures["talk_differs_seconds"]) == (4.0, 0.03)
    assert figures["placing"] == PLACING
    assert figures["test_cold_passed"] == figures["test_warm_passed"] == 1500
    assert figures["test_cold_shown_by"]["ctrl_c_at_any_moment"] == 2
    assert figures["demo_cold"]["calls"]["inbound"]["attempts"] == ["answered", "answered_elsewhere"]
    json.dumps(figures)


@pytest.mark.parametrize(
    ("step", "answer", "broken"),
    [
        ("test_cold", (2, "== 1 failed, 1499 passed in 1.0s ==\n"), {"test_cold", *SHOWN_BY}),
        ("test_warm", (0, "== 1499 passed, 1 skipped in 1.0s ==\n"), {"test_warm"}),
        ("demo_cold", (1, "demo: not so: they talked\n"), {"demo_cold"}),
        ("demo_warm", demo(rang_apart_ms=50.1), {"rang_apart_ms"}),
        ("demo_warm", demo(talk_differs_seconds=0.11), {"talk_differs_seconds"}),
        ("demo_warm", demo(webhooks=EVENTS), {"demo_warm"}),
        ("demo_warm", demo(webhooks_refused=1), {"demo_warm"}),
        ("demo_journal", demo("ami"), {"demo_journal"}),
        ("placing", (0, json.dumps(PLACING | {"more_ms": 10.1})), {"placing"}),
        ("placing", (1, ""), {"placing"}),
    ],
)
def test_what_does_not_hold_is_told_and_the_rest_is_shown(
    clone: PlayedClone, step: str, answer: Answer, broken: set[str]
) -> None:
    clone = replace(clone, answers=ALL_WELL | {step: answer})
    figures, held = verified(clone, clone)
    assert {name for name, holds in held.items() if not holds} == broken
    assert clone.asked == STEPS
    json.dumps(figures)


@pytest.mark.parametrize("what", SHOWN_BY)
def test_a_test_that_is_not_there_shows_nothing(clone: PlayedClone, what: str) -> None:
    _, held = verified(*[replace(clone, absent=SHOWN_BY[what][0])] * 2)
    assert [name for name, holds in held.items() if not holds] == [what]


def test_tests_that_were_skipped_are_no_pass() -> None:
    assert passed("== 3 passed in 1s ==") == 3
    with pytest.raises(Failed):
        passed("== 3 passed, 1 skipped in 1s ==")
