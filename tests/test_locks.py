"""The locks: they hold what pyproject.toml asks for, each with a hash, and say nothing twice."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

LOCKS = ("requirements.lock", "requirements-cuda.lock", "requirements-dev.lock")
PIN = re.compile(
    r"^([a-z0-9][a-z0-9._-]*)==([^ ;]+)( ; [^\\]+)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", re.MULTILINE
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins(*names):
    """Package -> version of the locks; where that depends on Python, each condition has one."""
    found = [pin for lock in names for pin in PIN.findall((ROOT / lock).read_text())]
    assert len({(name, condition) for name, _, condition, _ in found}) == len(found)
    return {name: version for name, version, _, _ in found}


@pytest.mark.parametrize(
    ("asked", "locks"),
    [(PROJECT["dependencies"], LOCKS[:1]), (PROJECT["optional-dependencies"]["dev"], (LOCKS[0], LOCKS[2]))],
)
def test_what_the_project_asks_for_is_locked_in_a_version_that_it_allows(asked, locks):
    locked = pins(*locks)
    wrong = [
        text
        for text in asked
        if not Requirement(text).specifier.contains(locked.get(canonicalize_name(Requirement(text).name), "0.dev0"))
    ]
    assert not wrong, f"run `make lock`: {wrong}"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_is_a_pin_with_hashes(lock):
    text = (ROOT / lock).read_text()
    rest = PIN.sub("", text).strip().splitlines()
    assert [
        line for line in rest if line and not line.startswith(("#", "-c requirements-cuda", "-r requirements."))
    ] == []
    assert len(pins(lock)) > 10


def test_torch_for_cpus_is_the_locked_one_with_its_hash():
    (pin,) = PIN.findall((ROOT / "requirements-cpu.lock").read_text())
    assert pin[:2] == ("torch", pins("requirements.lock")["torch"] + "+cpu")
    assert pin[3] in (ROOT / "requirements.lock").read_text()


def test_no_package_is_locked_twice_and_only_torch_with_cuda_gets_its_libraries():
    assert {name.partition("-")[0] for name in pins(*LOCKS) if name in pins(LOCKS[1])} == {"cuda", "nvidia", "triton"}


def test_what_we_import_is_asked_for_and_no_client_of_http_but_one():
    names = {canonicalize_name(Requirement(text).name) for text in PROJECT["dependencies"]}
    assert "httpx2" in names
    assert not names & {"requests", "httpx", "aiohttp", "urllib3"}
