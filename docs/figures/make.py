"""Makes the figures of docs/: runs the tutorials' lines in a folder and takes pictures of the pages that they write.

.venv/bin/python docs/figures/make.py [FOLDER]     # needs Chromium; three minutes, or seconds where FOLDER has all
"""

import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import os

import cli
from docs.site.blocks import typed_commands

FIGURES = {
    "stats.png": ("stats.html", "#funnel", 620),
    "map.png": ("map.html", "", 640),
    "report.png": ("report.html", "#metrics-1", 560),
}
"""Figure -> the page it shows, where on it, and how many pixels high."""
WIDTH = 1100


def main(folder: Path) -> None:
    """Make what the tutorials make, and take the pictures."""
    os.chdir(folder)
    for page in ("build", "bench", "search"):
        for words in typed_commands(ROOT / "docs" / f"tutorial-{page}.md"):
            if code := cli.run(words):
                sys.exit(f"cvr {' '.join(words)}: {code}")
    take_pictures(folder)


def take_pictures(folder: Path) -> None:
    """Write each figure beside this file."""
    from playwright.sync_api import sync_playwright

    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        for name, (page, place, height) in FIGURES.items():
            opened = browser.new_page(viewport={"width": WIDTH, "height": height}, offline=True)
            opened.goto(f"{(folder / page).as_uri()}{place}")
            if name == "map.png":  # a point is shown with its clips
                opened.locator("canvas").press("ArrowRight")
            opened.wait_for_timeout(1000)  # clips that are in view begin to play
            opened.screenshot(path=Path(__file__).with_name(name))
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]).resolve())
    else:
        with tempfile.TemporaryDirectory() as made:
            main(Path(made))
