"""docker/compose.yaml: what it names exists, it fits the scripts and settings, and it opens nothing to the world."""

import ipaddress
import json
import os
import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from gateway.settings import load
from tests.lab.asterisk import PROJECT

COMPOSE = PROJECT / "docker/compose.yaml"
DOCKERFILES = sorted(COMPOSE.parent.glob("*/Dockerfile"))
DEFAULTED = re.compile(r"\$\{\w+:-([^}]*)\}")


def composed() -> dict[str, Any]:
    """The file with its variables' defaults filled in."""
    document: dict[str, Any] = yaml.safe_load(DEFAULTED.sub(r"\1", COMPOSE.read_text()))
    return document


SERVICES: dict[str, dict[str, Any]] = composed()["services"]
BUILT = sorted(name for name, service in SERVICES.items() if "build" in service)


def addresses() -> dict[str, str]:
    return {
        name: service["networks"]["pbx"]["ipv4_address"]
        for name, service in SERVICES.items()
        if isinstance(service.get("networks"), dict)
    }


def instructions(dockerfile: Path) -> list[str]:
    """The Dockerfile's instructions, continued lines joined, comments left out."""
    lines = [line for line in dockerfile.read_text().splitlines() if not line.lstrip().startswith("#")]
    return [line.strip() for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines() if line.strip()]


def test_it_has_gateway_postgres_asterisk_and_two_phones() -> None:
    assert set(SERVICES) == {"postgres", "asterisk", "gateway", "alice", "outside"}


@pytest.mark.parametrize("name", BUILT)
def test_what_a_service_is_built_from_exists(name: str) -> None:
    build = SERVICES[name]["build"]
    context = (COMPOSE.parent / build["context"]).resolve()
    assert context == PROJECT
    assert (context / build["dockerfile"]) in DOCKERFILES


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_what_an_image_copies_exists_and_is_sent_to_the_engine(dockerfile: Path) -> None:
    sent = [line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [source for line in instructions(dockerfile) if line.startswith("COPY ") for source in line.split()[1:-1]]
    assert copied
    for source in copied:
        assert (PROJECT / source).exists(), source
        assert any(source == path or source.startswith(f"{path}/") for path in sent), f"{source} is ignored"


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_the_script_that_an_image_runs_is_a_strict_executable(dockerfile: Path) -> None:
    *_, last = instructions(dockerfile)
    command = json.loads(last.partition(" ")[2])[0]
    script = dockerfile.parent / Path(command).name
    assert script.stat().st_mode & 0o111
    assert "set -euo pipefail\n" in script.read_text()


def test_services_depend_on_services_that_tell_their_health() -> None:
    for service in SERVICES.values():
        for name, condition in service.get("depends_on", {}).items():
            assert condition["condition"] == "service_healthy"
            told = "healthcheck" in SERVICES[name] or any(
                line.startswith("HEALTHCHECK ") for line in instructions(COMPOSE.parent / name / "Dockerfile")
            )
            assert told, name


def test_only_loopback_is_published() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    for port in ports:
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)


def test_no_path_of_a_machine_and_every_mounted_file_exists() -> None:
    volumes = composed()["volumes"]
    for service in SERVICES.values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert source in volumes or (COMPOSE.parent / source).is_file(), source


def test_images_come_by_name_alone() -> None:
    named = [service["image"] for service in SERVICES.values() if "image" in service]
    named += [
        line.split()[1] for dockerfile in DOCKERFILES for line in instructions(dockerfile) if line.startswith("FROM ")
    ]
    for image in named:
        assert re.fullmatch(r"[a-z]+:[a-z0-9.-]+", image), image


def test_the_gateways_settings_are_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = SERVICES["gateway"]["environment"]
    for name in [name for name in os.environ if name.startswith("GATEWAY_")]:
        monkeypatch.delenv(name)
    for line in instructions(COMPOSE.parent / "gateway/Dockerfile"):
        if line.startswith("ENV "):
            given = dict(word.split("=", 1) for word in shlex.split(line)[1:]) | given
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    settings = load(os.environ)
    assert settings.database_url is not None
    assert urlsplit(settings.database_url).hostname in SERVICES
    assert settings.ami_url is not None
    ami, asterisk = urlsplit(settings.ami_url), SERVICES["asterisk"]["environment"]
    assert (ami.password, str(ami.port)) == (asterisk["AMI_SECRET"], asterisk["AMI_PORT"])
    assert SERVICES["asterisk"]["ports"] == [f"127.0.0.1:8080:{settings.listen_address[1]}"]
    assert SERVICES["gateway"]["network_mode"] == "service:asterisk", "AMI lets nobody in but 127.0.0.1"
    postgres = SERVICES["postgres"]["environment"]
    assert urlsplit(settings.database_url).password == postgres["POSTGRES_PASSWORD"]


def test_the_directory_that_is_applied_is_the_one_that_is_mounted() -> None:
    gateway = SERVICES["gateway"]
    inside = {mount.split(":")[1]: mount.split(":")[0] for mount in gateway["volumes"]}
    mounted = COMPOSE.parent / inside[gateway["environment"]["DIRECTORY_FILE"]]
    assert mounted.resolve() == PROJECT / "asterisk-conf/demo-pbx/directory.yaml"


def test_asterisk_gets_what_its_configuration_asks_for() -> None:
    asked = {
        name
        for path in (PROJECT / "asterisk-conf").glob("*/*.conf")
        for name in re.findall(r"@([A-Z][A-Z_]+)@", path.read_text())
    }
    assert asked - {"DIRECTORY"} == set(SERVICES["asterisk"]["environment"])


def test_everybody_is_where_the_others_look_for_them() -> None:
    at, asterisk = addresses(), SERVICES["asterisk"]["environment"]
    (plan,) = composed()["networks"]["pbx"]["ipam"]["config"]
    network = ipaddress.ip_network(plan["subnet"])
    assert len({*at.values(), plan["gateway"]}) == len(at) + 1
    for address in at.values():
        assert ipaddress.ip_address(address) in network
    assert asterisk["SIP_ADDRESS"] == at["asterisk"]
    assert asterisk["TRUNK_ADDRESS"] == at["outside"]
    for name in ("alice", "outside"):
        assert SERVICES[name]["environment"]["REGISTRAR"] == at["asterisk"]
    assert SERVICES["alice"]["environment"]["PHONE_SECRET"] == asterisk["SIP_SECRET"]
    assert (
        f"[{SERVICES['alice']['environment']['PHONE_NAME']}]"
        in (PROJECT / "asterisk-conf/demo-pbx/pjsip.conf").read_text()
    )
