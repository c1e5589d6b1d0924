"""`python -m tests.lab.mutations [--rules] [MODULE …]`: break every rule of the fold, one at a time.

Something must fail. With `--rules` a rule is a function, which then says nothing any more, or a table's entry,
which is then gone: some minutes. Without, it is each condition, operand, constant and statement: half an hour.

Each mutant (see `mutants`) gets a process of its own with a fresh set of the modules of
`gateway/calls`. It is judged by the scenarios first: every recording, by its scenario, its phones and
its events (AMI's form only where it is not the journal's over again), of those that run the line in
question. What those do not notice goes to a second suite: the tables of tests/unit/calls, damaged
recordings and made-up calls, for rules that only guard against damage. What survives both must be
in mutations-accepted.txt, a line each: its key, two spaces and a `#`, and why nothing can tell it
from the original, or why nothing need.

Exit status 0 only if nothing else survives, and no line there is about a mutant that is no more or
that died. The last line is one JSON object with the figures.
"""

import ast
import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

from gateway.calls.rows import QueueRow
from tests.lab.mutants import Mutant, mutants, rules

PROJECT = Path(__file__).resolve().parents[2]
CALLS = PROJECT / "gateway/calls"
ACCEPTED = Path(__file__).with_name("mutations-accepted.txt")
ROOTS = ("fold", "views")
FORMS = "rows record directory instant row_json compact_json document"
DATA = frozenset(("__init__", "origination", "never_began", *FORMS.split()))
"""Modules that decide nothing: values and their forms."""

RULES = "rules:"
"""How the file names of the modules under test begin, so that what runs of them is known."""

MOST_SECONDS = 180
"""Of computing: a rule that never ends is broken."""

MOST_MEMORY = 4 << 30

SUITES = ("scenarios", "tables", "damage")
SCENARIOS = ("test_recordings", "test_testimony", "test_lives")
"""The modules that judge every recording: by its scenario, by what its phones logged, by the events it makes."""

Check = tuple[str, Callable[[], None]]
Reached = dict[tuple[str, int], frozenset[str]]
"""Module and line → the checks that run it."""


class Fresh(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives modules from code that is held in memory, so that what is edited meanwhile does not matter."""

    def __init__(self, codes: dict[str, CodeType]) -> None:
        self.codes = codes

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self.codes:
            return None
        origin = str(PROJECT / f"{fullname.replace('.', '/')}.py")
        return importlib.util.spec_from_loader(fullname, self, origin=origin)

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = module.__spec__.origin if module.__spec__ else None
        exec(self.codes[module.__name__], module.__dict__)


def rule_modules() -> dict[str, str]:
    """The sources of what the fold and the views are made of, but for plain data."""
    sources: dict[str, str] = {}
    waiting = list(ROOTS)
    while waiting:
        name = waiting.pop()
        if name not in sources and name not in DATA:
            sources[name] = (CALLS / f"{name}.py").read_text()
            waiting += _imported(sources[name])
    return dict(sorted(sources.items()))


def _imported(source: str) -> list[str]:
    """The modules of gateway/calls that `source` takes something from."""
    package = "gateway.calls."
    froms = [node.module or "" for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    return [module.removeprefix(package) for module in froms if module.startswith(package)]


# ── what judges ─────────────────────────────────────────────────────────────


class Judge:
    """The two suites. Made once; in each child they are bound to the mutant."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._codes = {
            f"gateway.calls.{name}": compile(text, f"{RULES}{name}", "exec") for name, text in sources.items()
        }
        for path in [PROJECT / "tests/lab/recordings.py", *sorted((PROJECT / "tests/unit/calls").glob("*.py"))]:
            name = ".".join(path.relative_to(PROJECT).with_suffix("").parts)
            if path.stem not in ("__init__", "test_properties"):
                self._codes[name] = compile(path.read_text(), str(path), "exec")
        self._fresh = Fresh(dict(self._codes))
        sys.meta_path.insert(0, self._fresh)
        recordings = importlib.import_module("tests.lab.recordings")
        self._directories = recordings.directories()
        self._rows = {
            (one.name, source): _finished(one.rows(source))
            for one in recordings.RECORDINGS
            for source in recordings.SOURCES
        }

    def bind(self, name: str = "", code: CodeType | None = None) -> None:
        """From now on the modules are the mutant's."""
        self._fresh.codes = self._codes if code is None else {**self._codes, f"gateway.calls.{name}": code}
        for known in list(sys.modules):
            if known in self._codes:
                del sys.modules[known]
        recordings = importlib.import_module("tests.lab.recordings")
        rows = self._rows

        async def read(self: Any, source: str) -> Any:
            return rows[self.name, source]

        vars(recordings).update(directories=lambda: self._directories)
        recordings.Recording.rows = read

    def scenarios(self) -> list[Check]:
        return [
            check
            for name in SCENARIOS
            for check in _cases(importlib.import_module(f"tests.unit.calls.{name}"), fit=self._says_something_new)
        ]

    def _says_something_new(self, given: Mapping[str, Any]) -> bool:
        return given.get("source", "journal") == "journal" or any(
            isinstance(row, QueueRow) for row in self._rows[given["recording"].name, given["source"]]
        )

    def checks(self) -> Iterator[tuple[str, list[Check]]]:
        """The suites, the likeliest to notice first; each is made when it is asked for."""
        for suite in SUITES:
            yield suite, getattr(self, suite)()

    def tables(self) -> list[Check]:
        found: list[Check] = []
        for name in sorted(self._codes):
            if name.startswith("tests.unit.calls.test_") and not name.endswith(SCENARIOS):
                found += _cases(importlib.import_module(name))
        return found

    def damage(self) -> list[Check]:
        """Some recordings in which every event occurs, damaged in every place; and calls made up."""
        return list(importlib.import_module("tests.unit.calls.quick").checks())


def _finished(coroutine: Any) -> Any:
    """The result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise RuntimeError("it waits")


def _cases(module: ModuleType, fit: Callable[[Mapping[str, Any]], bool] = lambda _: True) -> list[Check]:
    """The tests of a module that need no fixture, each with each of its parameters that is `fit`."""
    found: list[Check] = []
    for name, function in vars(module).items():
        if not name.startswith("test_") or not callable(function):
            continue
        marks = [mark for mark in getattr(function, "pytestmark", []) if mark.name == "parametrize"]
        for number, chosen in enumerate(product(*(list(_parameters(mark)) for mark in marks))):
            given = {key: value for one in chosen for key, value in one.items()}
            code = function.__code__
            if set(code.co_varnames[: code.co_argcount]) == set(given) and fit(given):
                found.append((f"{module.__name__}.{name}[{number}: {_shown(given)}]", partial(_run, function, given)))
    return found


def _parameters(mark: Any) -> Iterator[dict[str, Any]]:
    names = mark.args[0] if not isinstance(mark.args[0], str) else [n.strip() for n in mark.args[0].split(",")]
    for value in mark.args[1]:
        if getattr(value, "marks", ()):
            continue  # known not to be told right yet
        values = getattr(value, "values", value) if not isinstance(value, dict) else value
        yield dict(zip(names, values if len(names) > 1 or hasattr(value, "marks") else [values], strict=True))


def _shown(given: Mapping[str, Any]) -> str:
    """Short: a parameter may be the rows of a whole call."""
    return "-".join(str(getattr(value, "name", value))[:40] for value in given.values())


def _run(function: Callable[..., Any], given: Mapping[str, Any]) -> None:
    result = function(**given)
    if result is not None:
        _finished(result)


# ── running ─────────────────────────────────────────────────────────────────


@dataclass
class Verdict:
    """By what a mutant was killed: the suite and the check; both empty if by nothing."""

    suite: str = ""
    check: str = ""


@dataclass
class Run:
    judge: Judge
    workers: int
    reached: Reached
    """By the checks that pass as the code stands: the others judge nobody."""

    telling: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many mutants of a module each check has killed: the next one's likeliest judge."""

    children: dict[int, tuple[Mutant, int]] = field(default_factory=dict)

    def all(self, wanted: Sequence[Mutant]) -> Iterator[tuple[Mutant, Verdict]]:
        for mutant in wanted:
            while len(self.children) >= self.workers:
                yield self._next()
            self._start(mutant)
        while self.children:
            yield self._next()

    def _start(self, mutant: Mutant) -> None:
        reading, writing = os.pipe()
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            os.close(reading)
            self._judge(mutant, writing)
        os.close(writing)
        self.children[child] = mutant, reading

    def _judge(self, mutant: Mutant, writing: int) -> None:
        """In the child: says what killed the mutant, and is gone."""
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
        verdict = Verdict("scenarios", "import")
        try:
            self.judge.bind(mutant.module, mutant.compiled())
            verdict = self._verdict(mutant)
        except BaseException as error:
            verdict.check = repr(error)
        os.write(writing, json.dumps(vars(verdict)).encode()[:4000])
        os._exit(0)

    def _verdict(self, mutant: Mutant) -> Verdict:
        lines = ((mutant.module, line) for line in mutant.lines or ())
        able = frozenset().union(*(self.reached.get(line, frozenset()) for line in lines))
        if mutant.lines is None:
            able = frozenset().union(*self.reached.values())
        for suite, checks in self.judge.checks():
            for name, check in sorted(checks, key=lambda one: -self.telling[mutant.module, one[0]]):
                if name in able and _fails(check):
                    return Verdict(suite, name)
        return Verdict()

    def _next(self) -> tuple[Mutant, Verdict]:
        child, _ = os.wait()
        mutant, reading = self.children.pop(child)
        with os.fdopen(reading) as pipe:
            said = pipe.read()
        verdict = Verdict(**json.loads(said)) if said else Verdict("scenarios", "took too long")
        self.telling[mutant.module, verdict.check] += 1
        return mutant, verdict


def _fails(check: Callable[[], None]) -> bool:
    try:
        check()
    except Exception:
        return True
    return False


def tried_out(judge: Judge) -> tuple[frozenset[str], Reached]:
    """The checks that the code as it is does not pass, and what the others run of it."""
    judge.bind()
    failed: set[str] = set()
    reached: dict[tuple[str, int], set[str]] = {}
    for name, check in [one for _, checks in judge.checks() for one in checks]:
        _forget()
        with _lines_run() as lines:
            fails = _fails(check)
        if fails:
            failed.add(name)
            continue
        for line in lines:
            reached.setdefault(line, set()).add(name)
    return frozenset(failed), {line: frozenset(names) for line, names in reached.items()}


def _forget() -> None:
    """Empty the caches of the modules under test: what a check runs must not depend on those before it."""
    for name, module in list(sys.modules.items()):
        if name.startswith("gateway.calls."):
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


@contextmanager
def _lines_run() -> Iterator[set[tuple[str, int]]]:
    """Module and line of each line of the rules that runs meanwhile."""
    lines: set[tuple[str, int]] = set()

    def enter(frame: FrameType, event: str, _: Any) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(RULES):
            return None
        module = name.removeprefix(RULES)

        def step(frame: FrameType, event: str, _: Any) -> Any:
            lines.add((module, frame.f_lineno))
            return step

        return step

    sys.settrace(enter)
    try:
        yield lines
    finally:
        sys.settrace(None)


def accepted() -> dict[str, str]:
    """Key and reason of each survivor that was looked at."""
    lines = ACCEPTED.read_text().splitlines() if ACCEPTED.exists() else []
    return {
        key.strip(): reason.strip()
        for line in lines
        if line.strip() and not line.startswith("#")
        for key, _, reason in [line.partition("  # ")]
    }


def main(arguments: Sequence[str]) -> int:
    began = time.monotonic()
    sources = rule_modules()
    chosen = [name for name in arguments if not name.startswith("--")]
    judge = Judge(sources)
    unfit, reached = tried_out(judge)
    print(f"tried out in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    known = accepted()
    breaking = rules if "--rules" in arguments else mutants
    wanted = [one for name in sources if not chosen or name in chosen for one in breaking(name, sources[name])]
    run = Run(judge, os.cpu_count() or 1, reached)
    gc.collect()
    gc.freeze()  # what the children share stays shared
    verdicts: dict[str, Verdict] = {}
    for done, (mutant, verdict) in enumerate(run.all(wanted), 1):
        verdicts[mutant.key] = verdict
        if not verdict.suite and not known.get(mutant.key):
            print(f"survived: gateway/calls/{mutant.module}.py:{mutant.line}  {mutant.key}", flush=True)
        if done % 200 == 0:
            print(f"{done} of {len(wanted)}, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    survivors = [mutant for mutant in wanted if not verdicts[mutant.key].suite]
    unexplained = [mutant for mutant in survivors if not known.get(mutant.key)]
    stale = [key for key in known if key in verdicts and verdicts[key].suite]
    keys = {one.key for name, source in sources.items() for kind in (mutants, rules) for one in kind(name, source)}
    gone = [key for key in known if key not in keys]
    for key in stale:
        print(f"accepted, but killed by {verdicts[key].check}: {key}")
    for key in gone:
        print(f"accepted, but there is no such mutant: {key}")
    for name in sorted(unfit):
        print(f"judges nobody, since it fails as it is: {name}")
    by_module = {name: _counts([m for m in wanted if m.module == name], verdicts, known) for name in sources}
    for name, counts in by_module.items():
        if counts["mutants"]:
            print(f"{name:12} " + "  ".join(f"{what} {count}" for what, count in counts.items()))
    figures = {
        **_counts(wanted, verdicts, known),
        "unfit_checks": len(unfit),
        "modules": len(by_module),
        "seconds": round(time.monotonic() - began, 1),
    }
    print(json.dumps(figures))
    return 1 if unexplained or stale or gone or unfit else 0


def _counts(some: Sequence[Mutant], verdicts: Mapping[str, Verdict], known: Mapping[str, str]) -> dict[str, int]:
    suites = Counter(verdicts[one.key].suite for one in some)
    explained = sum(bool(known.get(one.key)) for one in some if not verdicts[one.key].suite)
    return {
        "mutants": len(some),
        **{f"killed_by_{suite}": suites[suite] for suite in SUITES},
        "accepted": explained,
        "unexplained": suites[""] - explained,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
