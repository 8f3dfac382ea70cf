"""What all tests share: the command line in-process, real data if it is there, one thread."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# A loaded machine is no failure, and forty examples of each property keep the whole run short.
settings.register_profile("cvr", deadline=None, max_examples=40)
settings.load_profile("cvr")

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Outcome:
    """What a command did: its exit code, what it printed, and what it said on stderr."""

    code: int
    out: str
    err: str


class CommandLine:
    """Runs a command line in this process, as the shell would: `cvr("list", "models")`."""

    def __init__(self, capsys: pytest.CaptureFixture[str]):
        self.capsys = capsys

    def __call__(self, *words: str | Path) -> Outcome:
        import cli

        self.capsys.readouterr()
        code = cli.run([str(word) for word in words])
        printed = self.capsys.readouterr()
        return Outcome(code, printed.out, printed.err)

    def done(self, *words: str | Path) -> Outcome:
        """Run a command that must work."""
        outcome = self(*words)
        assert outcome.code == 0, outcome
        return outcome


@pytest.fixture
def cvr(capsys) -> CommandLine:
    return CommandLine(capsys)


@pytest.fixture
def one_line_error(cvr):
    """Run a command that must fail with exit code 2 and one line on stderr; return the line."""

    def run(*words: str | Path) -> str:
        outcome = cvr(*words)
        assert outcome.code == 2, outcome
        lines = [line for line in outcome.err.splitlines() if line.startswith("cvr: ")]
        assert len(lines) == 1, outcome.err
        assert "Traceback" not in outcome.err
        return lines[0]

    return run


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser that pages are looked at with."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium here (apt-get install chromium)")
    return found


@pytest.fixture(scope="module")
def browser(chromium):
    """That browser, driven by Playwright."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real annotation files, or a skip that says where it was looked for."""
    folder = Path(os.environ.get("CVR_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data is not at {folder} (set CVR_DATA)")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the quickstart first: with two processes the other one does all the rest meanwhile."""
    items.sort(key=lambda item: item.path.name != "test_quickstart.py")
