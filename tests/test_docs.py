"""What the README, the docs and `cvr --help` list is what there is."""

import re
from collections import Counter
from pathlib import Path

import pytest

import cli
from cvr_bench.families import PACKAGES, families

ROOT = Path(__file__).resolve().parent.parent
DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
OPTIONS = {
    "model": "models", "strategy": "strategies", "filter": "filters", "llm": "backends", "judge-backend": "backends",
    "encoder": "encoders", "layout": "layouts", "format": "formats",
}  # fmt: skip
"""Option -> the family whose names it takes; `--format` of reports and results takes others."""
TABLES = {
    ("benchmarks.md", "| name | queries, gallery | splits, variants | metrics beside R@K |"): "benchmarks",
    ("benchmarks.md", "| model | composed | text-to-video | video-to-text |"): "models",
}


def test_the_help_lists_every_command_once():
    listed = Counter(cli.EVERY_DAY) + Counter(name for names in cli.GROUPS.values() for name in names)
    assert listed == Counter(list(cli.command_files()))


@pytest.mark.parametrize(("file", "header"), TABLES)
def test_a_table_of_a_family_has_a_row_for_each_member(file, header):
    lines = (ROOT / "docs" / file).read_text(encoding="utf-8").splitlines()
    rows = []
    for line in lines[lines.index(header) + 2 :]:
        if not line.startswith("|"):
            break
        rows.append(line.split("|")[1].strip().strip("`"))
    assert sorted(rows) == families()[TABLES[file, header]].names()


def test_the_table_of_kinds_has_the_folder_of_each_family():
    folders = re.findall(r"^\|[^|]+\| `(cvr_\w+/[\w/]+)/` \|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert sorted(folders) == sorted(package.replace(".", "/") for package in PACKAGES.values())


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_command_and_component_that_is_named_exists(path):
    text = path.read_text(encoding="utf-8")
    commands = {name for name in re.findall(r"(?:^|[`\s(])cvr ([a-z][a-z-]+)", text, re.MULTILINE)}
    assert commands <= set(cli.command_files())
    for option, family in OPTIONS.items():
        named = re.findall(rf"--{option} ([a-z0-9][\w-]*)", text)
        assert set(named) <= {
            *families()[family].names(),
            *(("tex", "md", "html", "trec", "mteb") if option == "format" else ()),
        }


def test_every_command_is_named_somewhere():
    text = "\n".join(path.read_text(encoding="utf-8") for path in DOCS)
    assert [name for name in cli.command_files() if not re.search(rf"cvr {name}\b", text)] == []
