"""The container files, as far as they show without a build: steps as in the Makefile, our commands and settings."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from click import Command, Context, Group

from pipelines.cli.app import app
from pipelines.settings import Settings

ROOT = Path(__file__).parents[2]
OPTIONS = ("--disable-pip-version-check", "--no-cache-dir", "-qq")
UNITS = sorted((ROOT / "deploy" / "systemd").iterdir())


def steps() -> list[tuple[str, str]]:
    """Instructions of the Dockerfile with what follows them, lines that go on joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return [(line.split()[0], " ".join(line.split()[1:])) for line in lines]


def of(instruction: str) -> list[str]:
    return [rest for name, rest in steps() if name == instruction]


def compose() -> Mapping[str, Any]:
    found: Mapping[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return found


def takes(words: list[str]) -> None:
    """Whether the command line knows a command with its options; raises where it does not."""
    command: Command = typer.main.get_command(app)
    while isinstance(command, Group):
        command = command.commands[words.pop(0)]
    command.make_context(command.name, words, resilient_parsing=False, parent=Context(command)).close()


def test_what_is_installed_is_what_make_installs() -> None:
    """From a lock with hashes, then the package without a network; the lock is the usual one and the extra."""
    makefile = (ROOT / "Makefile").read_text()
    (options,) = re.findall(r"^INSTALL := (.*)$", makefile, re.MULTILINE)
    runs = [run for run in of("RUN") if "pip" in run]
    python = "/opt/trackly-sync/bin/python -m pip"
    install, package = (shlex.split(run.removeprefix(python)) for run in runs)
    assert install == [*OPTIONS, "install", *options.split(), "-r", "requirements-container.lock"]
    assert package == [*OPTIONS, "install", "--no-deps", "--no-build-isolation", "."]
    (with_extra,) = re.findall(
        r"(pyproject.toml --extra postgres --group build) -o (.*)$", makefile, re.MULTILINE
    )
    assert with_extra[1] == "requirements-container.lock"

    def pins(name: str) -> set[str]:
        return set(re.findall(r"^([a-zA-Z0-9_.-]+==\S+)", (ROOT / name).read_text(), re.MULTILINE))

    assert pins("requirements.lock") <= pins("requirements-container.lock")
    more = {pin.partition("==")[0] for pin in pins("requirements-container.lock") - pins("requirements.lock")}
    assert more == {"dagster-postgres", "psycopg", "psycopg-binary", "psycopg2-binary"}
    hosts = re.findall(r"^[^#]*://", (ROOT / "requirements-container.lock").read_text(), re.MULTILINE)
    assert hosts == [], "no package host gets into a lock"


def test_the_image_is_slim_and_runs_as_nobody_in_particular() -> None:
    """A pinned slim base, a user by number, a health check, an entry point that takes signals, secrets nowhere."""
    assert len(set(of("FROM")[0].split()[:1] + of("FROM")[1].split()[:1])) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", of("FROM")[1])
    order = [name for name, _ in steps()]
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", of("USER")[-1])
    assert order.index("USER") > max(n for n, (name, _) in enumerate(steps()) if name in ("RUN", "COPY"))
    assert of("ENTRYPOINT") == ['["trackly-sync"]']
    (check,) = of("HEALTHCHECK")
    assert " CMD [" in check
    assert not re.search(r"KEY|PASSWORD|SECRET|TOKEN", " ".join(of("ENV") + of("ARG")))
    assert "TRACKLY_DATA_DIR=/data" in of("ENV")[0]
    assert of("VOLUME") == ["/data"]


def test_what_is_copied_is_there_and_let_through() -> None:
    """Each file of a COPY is in the tree and let through by .dockerignore; nothing that is built from is missing."""
    let_through = set(re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    copied = {
        name.removeprefix("./") for rest in of("COPY") if "--from" not in rest for name in rest.split()[:-1]
    }
    assert copied == let_through
    assert all((ROOT / name).exists() for name in copied)
    assert copied >= {"schemas", "pipelines", "assets", "pyproject.toml", "setup.py", "README.md", "LICENSE"}


def test_the_services_are_closed_in_and_wait_for_their_database() -> None:
    """A read-only root, no capabilities, ports on loopback only, no secret in the file, images with a version."""
    found = compose()["services"]
    assert set(found) == {"ui", "webhooks", "postgres"}
    for name in ("ui", "webhooks"):
        service = found[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["volumes"] == ["data:/data", "./history:/history:ro"]
        assert service["env_file"] == ".env", (
            "a setting that is not handed on has no effect, and nobody is told"
        )
        fixed = ("TRACKLY_DATA_DIR", "TRACKLY_HISTORY_DIR")
        assert [service["environment"][name] for name in fixed] == ["/data", "/history"]
        assert service["depends_on"]["postgres"]["condition"] == "service_healthy"
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        assert {"/tmp"} == set(service["tmpfs"])  # noqa: S108 - of the container
    for service in found.values():
        assert service["logging"]["options"]["max-size"]
        assert re.search(r":\d+\.\d+", service["image"])
        for key, value in service["environment"].items():
            assert not re.search(r"PASSWORD|SECRET|KEY", key) or value.startswith("${"), key
    check = found["postgres"]["healthcheck"]["test"]
    assert check[check.index("-h") + 1] == "127.0.0.1", "its socket answers before its databases are made"
    script = next(v for v in found["postgres"]["volumes"] if v.startswith("./"))
    assert "CREATE DATABASE dagster" in (ROOT / script.partition(":")[0]).read_text()
    assert set(compose()["volumes"]) == {"data", "postgres"}


def test_services_and_units_call_commands_and_settings_that_there_are() -> None:
    takes(["ui", *_words(of("CMD")[0])[1:]])
    known = {f"TRACKLY_{name.upper()}" for name in Settings.model_fields}
    for name in ("ui", "webhooks"):
        service = compose()["services"][name]
        takes(list(service["command"]))
        assert set(service["environment"]) <= known
    assert set(re.findall(r"\b(TRACKLY_\w+)=", of("ENV")[0])) <= known
    for line in _lines("ExecStart"):
        words = shlex.split(line)
        assert words[0] == "/opt/trackly-sync/bin/trackly-sync"
        takes(words[1:])
    assert {line.partition("=")[0] for line in _lines("Environment")} <= known


def test_dagsters_url_is_one_that_the_settings_take() -> None:
    url = compose()["services"]["ui"]["environment"]["TRACKLY_DAGSTER_URL"]
    assert Settings(dagster_url=url, _env_file=None).dagster_url == url  # type: ignore[call-arg]


def test_units_are_for_a_user_of_their_own_and_keep_others_out() -> None:
    lines = {
        "User=trackly",
        "UMask=0077",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "ProtectKernelTunables=yes",
        "RestrictSUIDSGID=yes",
        "StateDirectoryMode=0700",
    }
    for unit in [path for path in UNITS if path.suffix == ".service"]:
        text = unit.read_text()
        assert lines <= set(text.splitlines()), unit.name
        assert "Type=oneshot" not in text or "TimeoutStartSec=" in text, "systemd waits for ever else"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for unit in UNITS:
        text = unit.read_text().replace("/opt/trackly-sync/bin/trackly-sync", "/bin/true")
        (tmp_path / unit.name).write_text(text)
    command = ["systemd-analyze", "verify", *(str(tmp_path / unit.name) for unit in UNITS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def _words(form: str) -> list[str]:
    found: list[str] = yaml.safe_load(form)
    return found


def _lines(key: str) -> Iterator[str]:
    for unit in UNITS:
        yield from re.findall(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)
