"""`python -m tests.lab.mutations [MODULE …]`: break every rule of the fold, one at a time; something must fail.

Each mutant (see `mutants`) gets a process of its own with a fresh set of the modules of
`gateway/calls`. It is judged by the scenarios first: every recording, in both forms, as
test_recordings judges it. What those do not notice goes to a second suite: the tables of
tests/unit/calls, damaged recordings and made-up calls, for rules that only guard against damage.
What survives both must be in mutations-accepted.txt, a line each: its key, two spaces and a
`#`, and why nothing can tell it from the original. Exit status 0 only if nothing else survives
and no line there is about a mutant that died. The last line is one JSON object with the figures.
"""

import ast
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
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from tests.lab.mutants import Mutant, mutants

PROJECT = Path(__file__).resolve().parents[2]
CALLS = PROJECT / "gateway/calls"
ACCEPTED = Path(__file__).with_name("mutations-accepted.txt")
ROOTS = ("fold", "views")
DATA = frozenset(
    ("__init__", "rows", "record", "directory", "instant", "row_json", "origination", "document", "never_began")
)
"""Modules that decide nothing: values and their forms."""

JUDGES = ("tests.lab.recordings", "tests.unit.calls")
"""Modules that are imported anew beside each mutant, since they hold parts of it."""

MOST_SECONDS = 60
"""Of computing: a rule that never ends is broken."""

MOST_MEMORY = 4 << 30

Check = tuple[str, Callable[[], None]]


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
        self._codes = {f"gateway.calls.{name}": compile(text, f"{name}.py", "exec") for name, text in sources.items()}
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
        module = importlib.import_module("tests.unit.calls.test_recordings")
        return _cases(module, only="test_a_recorded_call_is_told_as_it_was")

    def tables(self) -> list[Check]:
        found: list[Check] = []
        for name in sorted(self._codes):
            if name.startswith("tests.unit.calls.test_") and not name.endswith("test_recordings"):
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


def _cases(module: ModuleType, only: str = "test_") -> list[Check]:
    """The tests of a module that need no fixture, each with each of its parameters."""
    found: list[Check] = []
    for name, function in vars(module).items():
        if not name.startswith(only) or not callable(function):
            continue
        marks = [mark for mark in getattr(function, "pytestmark", []) if mark.name == "parametrize"]
        for chosen in product(*(list(_parameters(mark)) for mark in marks)):
            given = {key: value for one in chosen for key, value in one.items()}
            code = function.__code__
            if set(code.co_varnames[: code.co_argcount]) == set(given):
                found.append((f"{module.__name__}.{name}[{_shown(given)}]", partial(_run, function, given)))
    return found


def _parameters(mark: Any) -> Iterator[dict[str, Any]]:
    names = mark.args[0] if not isinstance(mark.args[0], str) else [n.strip() for n in mark.args[0].split(",")]
    for value in mark.args[1]:
        if getattr(value, "marks", ()):
            continue  # known not to be told right yet
        values = getattr(value, "values", value) if not isinstance(value, dict) else value
        yield dict(zip(names, values if len(names) > 1 or hasattr(value, "marks") else [values], strict=True))


def _shown(given: Mapping[str, Any]) -> str:
    return "-".join(str(getattr(value, "name", value)) for value in given.values())


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
    broken: frozenset[str]
    """Checks that fail as the code stands: they judge nobody."""

    telling: Counter[str] = field(default_factory=Counter)
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
            verdict = self._verdict()
        except BaseException as error:
            verdict.check = repr(error)
        os.write(writing, json.dumps(vars(verdict)).encode()[:4000])
        os._exit(0)

    def _verdict(self) -> Verdict:
        suites = (("scenarios", self.judge.scenarios), ("tables", self.judge.tables), ("damage", self.judge.damage))
        for suite, checks in suites:
            for name, check in sorted(checks(), key=lambda one: -self.telling[one[0]]):
                if name not in self.broken and _fails(check):
                    return Verdict(suite, name)
        return Verdict()

    def _next(self) -> tuple[Mutant, Verdict]:
        child, _ = os.wait()
        mutant, reading = self.children.pop(child)
        with os.fdopen(reading) as pipe:
            said = pipe.read()
        verdict = Verdict(**json.loads(said)) if said else Verdict("scenarios", "took too long")
        self.telling[verdict.check] += 1
        return mutant, verdict


def _fails(check: Callable[[], None]) -> bool:
    try:
        check()
    except Exception:
        return True
    return False


def broken(judge: Judge) -> frozenset[str]:
    """The checks that the code as it is does not pass."""
    judge.bind()
    everything = [*judge.scenarios(), *judge.tables(), *judge.damage()]
    return frozenset(name for name, check in everything if _fails(check))


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
    judge = Judge(sources)
    unfit = broken(judge)
    wanted = [one for name in sources if not arguments or name in arguments for one in mutants(name, sources[name])]
    run = Run(judge, os.cpu_count() or 1, unfit)
    verdicts: dict[str, Verdict] = {}
    for done, (mutant, verdict) in enumerate(run.all(wanted), 1):
        verdicts[mutant.key] = verdict
        if done % 200 == 0:
            print(f"{done} of {len(wanted)}, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    known = accepted()
    survivors = [mutant for mutant in wanted if not verdicts[mutant.key].suite]
    unexplained = [mutant for mutant in survivors if not known.get(mutant.key)]
    stale = [key for key in known if key in verdicts and verdicts[key].suite]
    gone = [key for key in known if not arguments and key not in verdicts]
    for mutant in unexplained:
        print(f"survived: gateway/calls/{mutant.module}.py:{mutant.line}  {mutant.key}")
    for key in stale:
        print(f"accepted, but killed by {verdicts[key].check}: {key}")
    for key in gone:
        print(f"accepted, but there is no such mutant: {key}")
    for name in sorted(unfit):
        print(f"judges nobody, since it fails as it is: {name}")
    by_module = {name: _counts([m for m in wanted if m.module == name], verdicts, known) for name in sources}
    for name, counts in by_module.items():
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
    suites = Counter(verdicts[mutant.key].suite for mutant in some)
    survived = [mutant.key for mutant in some if not verdicts[mutant.key].suite]
    explained = sum(bool(known.get(key)) for key in survived)
    return {
        "mutants": len(some),
        "killed_by_scenarios": suites["scenarios"],
        "killed_by_tables": suites["tables"],
        "killed_by_damage": suites["damage"],
        "accepted": explained,
        "unexplained": len(survived) - explained,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
