"""With which Python `make` sets up: one for which there are SIP phones, or a line that says so."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """In it nothing but what the script itself runs."""
    (tmp_path / "bash").symlink_to("/bin/bash")
    return tmp_path


def install(path: Path, command: str, version: str) -> None:
    """One that tells the version; none: one that does not run, as pyenv leaves them."""
    (path / command).write_text(f"#!/bin/bash\necho {version}\n" if version else "#!/bin/bash\nexit 127\n")
    (path / command).chmod(0o755)


def found(path: Path, *commands: str) -> tuple[int, str, str]:
    done = subprocess.run(
        ["/bin/bash", str(ROOT / "docker/python.sh"), *commands],
        env={"PATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        ({"python3": "3.11"}, "python3"),
        ({"python3": "3.12", "python3.11": "3.11"}, "python3"),
        ({"python3": "3.13", "python3.12": "3.12"}, "python3.12"),
        ({"python3": "3.14", "python3.12": "", "python3.11": "3.11"}, "python3.11"),
    ],
)
def test_the_first_that_will_do_is_taken(path: Path, installed: dict[str, str], expected: str) -> None:
    for command, version in installed.items():
        install(path, command, version)
    assert found(path, "python3", "python3.12", "python3.11") == (0, f"{expected}\n", "")


def test_none_is_one_line_that_says_how_to_name_one(path: Path) -> None:
    install(path, "python3", "3.13")
    status, output, errors = found(path, "python3", "python3.12")
    assert (status, output) == (1, "")
    assert errors == (
        "Python 3.11 or 3.12 is needed here: python3 is 3.13, there is no python3.12. "
        "Name one that is: PYTHON=/path/to/python3.12 make …\n"
    )


@pytest.mark.parametrize("given", [[], ["PYTHON=python3.13"]])
def test_make_installs_nothing_with_a_python_that_will_not_do(tmp_path: Path, given: list[str]) -> None:
    project, tools = tmp_path / "project", tmp_path / "tools"
    shutil.copytree(ROOT / "docker", project / "docker")
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, project)
    tools.mkdir()
    for command in ("python3", "python3.13", "python3.12", "python3.11"):
        install(tools, command, "3.13")
    # Nor what says that it runs below another make.
    outside = {
        name: value for name, value in os.environ.items() if name not in ("PYTHON", "MFLAGS") and "MAKE" not in name
    }
    done = subprocess.run(
        ["make", ".venv/ready", *given],
        cwd=project,
        env=outside | {"PATH": f"{tools}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    first, *_ = done.stderr.splitlines()
    assert first.startswith("Python 3.11 or 3.12 is needed here: ")
    assert ("python3.12 is 3.13" in first) == (not given)
