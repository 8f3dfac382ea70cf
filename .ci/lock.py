"""Writes the locks from pyproject.toml: `make lock` keeps what is pinned, with UPGRADE=--upgrade it takes the newest.

requirements.lock       what `cvr` needs, with the sha256 of every file that PyPI has of each version
requirements-cpu.lock   torch in its build for CPUs, with which the tests are run
requirements-cuda.lock  what torch's builds with CUDA need besides: constraints, so that other builds do without
requirements-dev.lock   what tests and checks need besides
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

TORCH_CPU = "    --hash=sha256:6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b"
"""Of torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl, with which the tests were run."""
CUDA = re.compile(r"(nvidia|cuda)-|triton=")
HEAD = """\
# By `make lock`. With a new pip (26.3 is tested): pip install --require-hashes -r requirements.lock
# Hashes are those of https://pypi.org/simple; the last one of torch is that in requirements-cpu.lock.
"""
HEAD_CPU = """\
# The torch of the tests, Python 3.11 on Linux x86_64, as on https://download.pytorch.org/whl/cpu. Where pip has it:
# pip install --require-hashes -r requirements-cpu.lock -r requirements.lock
"""


def main(options: list[str]) -> None:
    """Resolve with and without the extra `dev`, and write each package to the file it belongs in."""
    everything = resolved("--extra", "dev", *options)
    core = resolved(*options, known="\n".join(everything.values()))  # what both have is in one version
    torch = next(name for name in core if name.startswith("torch=="))
    core[torch] = core[torch].replace(f" \\\n{TORCH_CPU}", "") + f" \\\n{TORCH_CPU}"
    write("requirements-cpu.lock", HEAD_CPU, {torch: f"{torch}+cpu \\\n{TORCH_CPU}"})
    cuda = {name: block for name, block in core.items() if CUDA.match(name)}
    write("requirements-cuda.lock", "# Constraints: of requirements.lock, for torch with CUDA.\n", cuda)
    core = {name: block for name, block in core.items() if name not in cuda}
    write("requirements.lock", HEAD + "-c requirements-cuda.lock\n", core)
    more = {name: block for name, block in everything.items() if name not in core and name not in cuda}
    write("requirements-dev.lock", "# What `make test` and `make check` need besides.\n-r requirements.lock\n", more)


def resolved(*options: str, known: str = "") -> dict[str, str]:
    """Return the lines of each package by its first line, which holds name and version; pins of the locks are kept.

    `known` are pins that are kept instead of those of the locks.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "all.lock")
        locks = [Path(name) for name in ("requirements.lock", "requirements-cuda.lock", "requirements-dev.lock")]
        pins = (re.sub(r"(?m)^-[cr] .*\n", "", path.read_text()) for path in locks if path.exists())
        out.write_text(known or "".join(pins))
        command = [sys.executable, "-m", "uv", "pip", "compile", "--no-config", "--quiet", "--universal"]
        command += ["--python-version", "3.11", "--generate-hashes", "--no-annotate", "--no-header"]
        command += ["--default-index", "https://pypi.org/simple", *options, "pyproject.toml", "--output-file", str(out)]
        subprocess.run(command, check=True)
        blocks = re.split(r"\n(?=[a-z])", out.read_text().strip())
    return {block.split(" ", 1)[0]: block for block in blocks}


def write(name: str, head: str, blocks: dict[str, str]) -> None:
    """Write a lock."""
    Path(name).write_text(head + "".join(f"{block}\n" for block in blocks.values()))


if __name__ == "__main__":
    main(sys.argv[1:])
