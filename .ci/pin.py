"""Writes the newest commit of each Hub repository into the sources of `cvr download`: `make pins`, before a release.

A source without a `revision` is read at the newest commit of the day on which a folder first asks, which that folder
keeps. With one, every folder has the same files.
"""

import re
import sys
from pathlib import Path

from huggingface_hub import HfApi

SOURCES = Path(__file__).parents[1] / "cvr_data" / "download" / "sources"
HUB = re.compile(r"hub: (?P<kind>datasets|models)/(?P<repo>[\w.-]+/[\w.-]+)(?P<end>, |\n +)(?:revision: \w+(?P=end))?")


def main(folder: Path = SOURCES) -> None:
    """Ask for each repository once and write what has changed."""
    commits: dict[tuple[str, str], str] = {}

    def pinned(found: re.Match[str]) -> str:
        kind, repo, end = found["kind"], found["repo"], found["end"]
        if (kind, repo) not in commits:
            commits[kind, repo] = HfApi().repo_info(repo, repo_type=kind.removesuffix("s")).sha or "main"
            print(f"{kind}/{repo}  {commits[kind, repo]}")
        return f"hub: {kind}/{repo}{end}revision: {commits[kind, repo]}{end}"

    for path in sorted(folder.glob("*.yaml")):
        before = path.read_text(encoding="utf-8")
        if (text := HUB.sub(pinned, before)) != before:
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
