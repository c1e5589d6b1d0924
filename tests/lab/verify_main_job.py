"""`make verify-main-job`: the main job shown on fresh clones, each in an empty home with no cache.

One clone runs every test from nothing. The other runs the demo from nothing, again, and with the
journal, then the measurement of placing a call, then every test again. Exit status 0 only if all
of it holds; the last line is one JSON object with the figures.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from xml.etree import ElementTree

from tests.lab.fresh_clone import Clone, Failed, fresh_clone, last_json, passed

MOST_MS_APART = 50.0
MOST_SECONDS_OFF = 0.1
MOST_MS_MORE = 10.0
EVENTS = ["call.started", "call.answered", "call.ended"]
CALLS = ("click_to_call", "inbound")

SHOWN_BY: Mapping[str, Sequence[str]] = {
    "devices_ring_at_once_and_show_the_destination": (
        "tests.asterisk.test_click_to_call_sip.test_every_device_rings_at_once_and_shows_the_destination",
    ),
    "trunk_shows_her_number_and_nothing_else_of_her": (
        "tests.asterisk.test_click_to_call_sip.test_the_outside_sees_the_users_number_and_nothing_else_of_her",
    ),
    "record_is_what_the_phones_saw": ("tests.acceptance.test_main_job.test_the_record_is_what_the_phones_saw",),
    "console_and_webhook_on_the_running_demo": (
        "tests.acceptance.test_demo.test_a_browser_and_a_webhook_on_the_running_demo_and_ctrl_c_at_its_end",
    ),
    "ctrl_c_at_any_moment": (
        "tests.acceptance.test_demo.test_ctrl_c_at_any_moment_leaves_nothing",
        "tests.acceptance.test_set_up",
    ),
    "bad_input": ("tests.acceptance.test_bad_input",),
}
"""Which tests show what the figures do not: whole modules, or tests with all their parameters."""

T = TypeVar("T")


def main() -> int:
    try:
        with fresh_clone() as one, fresh_clone() as other:
            figures, held = verified(one, other)
    except Failed as error:
        print(f"verify-main-job: {error}", file=sys.stderr)
        return 1
    for step, holds in held.items():
        print(f"{step}: {'holds' if holds else 'DOES NOT HOLD'}")
    print(json.dumps(figures | {"held": held, "holds": all(held.values())}))
    return 0 if all(held.values()) else 1


def verified(one: Clone, other: Clone) -> tuple[dict[str, Any], dict[str, bool]]:
    """The figures, and whether each step holds. One that does not keeps none of the others from being shown."""
    figures: dict[str, Any] = {}
    held: dict[str, bool] = {}
    _tests(one, "test_cold", figures, held)
    for name, more in (("demo_cold", ()), ("demo_warm", ()), ("demo_journal", ("JOURNAL=1",))):
        _demo(other, name, more, figures, held)
    _placing(other, figures, held)
    _tests(other, "test_warm", figures, held)
    demos = [figures[name]["figures"] for name in ("demo_cold", "demo_warm", "demo_journal") if name in figures]
    for figure, most in (("rang_apart_ms", MOST_MS_APART), ("talk_differs_seconds", MOST_SECONDS_OFF)):
        figures[figure] = max((demo[figure] for demo in demos), default=None)
        held[figure] = figures[figure] is not None and figures[figure] <= most
    return figures, held


def _demo(clone: Clone, name: str, more: Sequence[str], figures: dict[str, Any], held: dict[str, bool]) -> None:
    """Both calls' records, and that each event of each was delivered once, its signature right."""
    seconds, status, output = clone.try_to_run(name, "make", "demo", "ONCE=1", *more)
    figures[f"{name}_seconds"] = seconds
    told = _json_or_none(output)
    if told is not None:
        figures[name] = {
            "calls": {call: _summary(told[call]) for call in CALLS},
            "figures": told["figures"],
        }
    held[name] = (
        status == 0
        and told is not None
        and told["figures"]["webhooks"] == EVENTS * len(CALLS)
        and told["figures"]["webhooks_refused"] == 0
        and told["source"] == ("journal" if more else "ami")
    )


def _placing(clone: Clone, figures: dict[str, Any], held: dict[str, bool]) -> None:
    seconds, status, output = clone.try_to_run("placing", ".venv/bin/python", "-m", "bench.post_to_invite")
    figures["placing_seconds"], figures["placing"] = seconds, _json_or_none(output)
    held["placing"] = status == 0 and figures["placing"] is not None and figures["placing"]["more_ms"] <= MOST_MS_MORE


def _tests(clone: Clone, name: str, figures: dict[str, Any], held: dict[str, bool]) -> None:
    """Every test; and of each thing that tests show, how many showed it."""
    report = clone.directory.parent / f"{name}.xml"
    reporting = replace(clone, environment={**clone.environment, "PYTEST_ADDOPTS": f"--junitxml={report}"})
    seconds, status, output = reporting.try_to_run(name, "make", "test")
    figures[f"{name}_seconds"] = seconds
    figures[f"{name}_passed"] = _or_none(lambda: passed(output))
    ran = passed_tests(report) if report.exists() else []
    shown = {what: sum(_is_of(test, names) for test in ran) for what, names in SHOWN_BY.items()}
    figures[f"{name}_shown_by"] = shown
    held[name] = status == 0 and figures[f"{name}_passed"] is not None
    for what, names in SHOWN_BY.items():
        every = all(any(_is_of(test, [one]) for test in ran) for one in names)
        held[what] = held.get(what, True) and status == 0 and every


def passed_tests(report: Path) -> list[str]:
    """`package.module.test` of each test that passed, by pytest's JUnit report."""
    cases = ElementTree.parse(report).iter("testcase")
    return [f"{case.get('classname')}.{case.get('name')}" for case in cases if len(case) == 0]


def _is_of(test: str, names: Sequence[str]) -> bool:
    return any(test == name or test.startswith((f"{name}.", f"{name}[")) for name in names)


def _summary(call: Mapping[str, Any]) -> dict[str, Any]:
    return {"outcome": call["outcome"], "attempts": [attempt["result"] for attempt in call["attempts"]]}


def _json_or_none(output: str) -> dict[str, Any] | None:
    return _or_none(lambda: last_json(output))


def _or_none(look: Callable[[], T]) -> T | None:
    """What a step printed where it ended well; a step that did not is told by its exit status."""
    try:
        return look()
    except (Failed, ValueError, IndexError):
        return None


if __name__ == "__main__":
    sys.exit(main())
