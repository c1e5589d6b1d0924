"""Prints those blocks of requirements.txt that some packages need, hashes and all, for `pip install --require-hashes`.

    python docker/pinned.py [PACKAGE …]

Without a package: what the gateway itself needs, without what only its tests and checks do. Which
package needs which is in the `# via` comments that pip-compile writes.
"""

import re
import sys
import tomllib
from collections.abc import Collection
from pathlib import Path

HERE = Path(__file__).resolve().parent
NAME = re.compile(r"[A-Za-z0-9._-]+")
# "    # via idna", or a line "    #   idna" for each of several.
PARENT = re.compile(r"^    #(?:   | via )([A-Za-z0-9._-]+)", re.MULTILINE)


def normal(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def runtime_packages() -> set[str]:
    """What pyproject.toml's own dependencies name."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]
    return {match[0] for line in project["dependencies"] if (match := NAME.match(line))}


def blocks(text: str) -> dict[str, str]:
    """Each package's lines of a pip-compile output, by the package's name."""
    found = re.split(r"(?m)^(?=[A-Za-z0-9])", text)
    return {normal(block.partition("==")[0]): block for block in found if "==" in block}


def needed(text: str, packages: Collection[str]) -> list[str]:
    """The blocks of these packages and of all that they need, in the order of `text`.

    Raises:
        KeyError: one of the packages is not pinned.
    """
    pinned = blocks(text)
    wanted = {normal(package) for package in packages}
    if missing := wanted - pinned.keys():
        raise KeyError(", ".join(sorted(missing)))
    wanted_by = {name: {normal(parent) for parent in PARENT.findall(block)} for name, block in pinned.items()}
    while more := {name for name, parents in wanted_by.items() if parents & wanted} - wanted:
        wanted |= more
    return [block for name, block in pinned.items() if name in wanted]


if __name__ == "__main__":
    try:
        sys.stdout.writelines(needed((HERE / "requirements.txt").read_text(), sys.argv[1:] or runtime_packages()))
    except KeyError as error:
        sys.exit(f"pinned.py: not in requirements.txt: {error.args[0]}")
