"""The pages of docs: links and anchors lead somewhere, every command has a page, every figure its script."""

import re
import subprocess
from pathlib import Path

import pytest

import cli
from docs.figures.make import FIGURES
from docs.site import places
from docs.site.checking import faults_of_site
from docs.site.make import GROUP, LINK, contents, linked, page_of_notebook
from docs.site.places import page_names
from docs.site.reference import command_page, escaped

ROOT = Path(__file__).resolve().parent.parent
WRITTEN = [name for name in page_names() if name.endswith(".md")]


def heading_anchors(name: str) -> set[str]:
    """The anchors that GitHub and the site give the headings of a page."""
    found: list[str] = []
    text = re.sub(r"^```.*?^```", "", (ROOT / name).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        words = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()).replace(" ", "-")
        found.append(words + (f"-{found.count(words)}" if words in found else ""))
    return set(found)


@pytest.mark.parametrize("name", WRITTEN)
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(name):
    for _, target, anchor in LINK.findall((ROOT / name).read_text(encoding="utf-8")):
        path = ((ROOT / name).parent / target).resolve()
        assert path.is_file(), f"{name}: {target} is no file"
        if anchor and path.suffix == ".md":
            assert anchor[1:] in heading_anchors(path.relative_to(ROOT).as_posix()), f"{name}: {target}{anchor}"


@pytest.mark.parametrize("name", sorted(cli.command_files()))
def test_the_help_of_a_command_names_the_page_that_tells_more_about_it(name):
    pages = [page for page, names in cli.PAGES.items() if name in names]
    assert len(pages) == 1, f"cli.PAGES should list {name!r} once, under the page of docs/ that tells of it"
    text = (ROOT / "docs" / f"{pages[0]}.md").read_text(encoding="utf-8")
    assert re.search(rf"\bcvr {name}(?![\w-])", text), f"docs/{pages[0]}.md does not mention `cvr {name}`"
    command = cli.group.get_command(cli.group.make_context("cvr", ["list"]), name)
    assert command.epilog == f"More: docs/{pages[0]}.md"


def test_no_page_of_a_command_tells_of_one_that_is_not_there():
    assert {name for names in cli.PAGES.values() for name in names} == set(cli.command_files())


def test_the_help_ends_with_the_page(cvr):
    assert cvr("compare", "--help").out.rstrip().endswith("More: docs/tutorial-bench.md")


def test_a_page_of_a_command_has_all_that_click_prints():
    page = command_page("bench")
    command = cli.group.get_command(cli.group.make_context("cvr", ["list"]), "bench")
    options = [option for each in command.params for option in (*each.opts, *each.secondary_opts)]
    assert len(options) > 15 and [option for option in options if option not in page] == []
    assert "    $ cvr bench --model fdca --model sum\n" in page
    assert "[docs/training.md](../../training.md)" in page


def test_words_of_a_help_text_are_no_markup():
    assert escaped("a <b> of `cvr list <x>` *and* [c]") == r"a \<b\> of `cvr list <x>` \*and\* \[c\]"


def test_every_figure_is_shown_with_words_and_made_by_the_script():
    shown = {}
    for name in WRITTEN:
        for words, target in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", (ROOT / name).read_text(encoding="utf-8")):
            shown[((ROOT / name).parent / target).resolve()] = words
    assert all(shown.values())
    assert {path.relative_to(ROOT / "docs/figures").as_posix() for path in shown} == set(FIGURES)


def test_links_of_the_repository_become_links_of_the_site(tmp_path):
    pages = page_names()
    moved = linked("[a](docs/data.md#languages) [b](CONTRIBUTING.md) [c](https://x.y/z)", "README.md", pages, tmp_path)
    assert moved == "[a](data.md#languages) [b](contributing.md) [c](https://x.y/z)"
    assert linked("[a](notebooks/build.ipynb)", "docs/index.md", pages, tmp_path) == "[a](notebooks/build.md)"
    assert linked("[a](../cli.py)", "docs/data.md", pages, tmp_path) == "[a](cli.py)"
    assert (tmp_path / "cli.py").is_file()
    named = linked("by `speed/ranking.py` and `python speed/mining.py one-word`", "docs/scale.md", pages, tmp_path)
    assert named == "by [`speed/ranking.py`](speed/ranking.py) and [`python speed/mining.py one-word`](speed/mining.py)"
    assert "[`speed/fdca.py`](speed/fdca.py)" in linked("`speed/fdca.py`", "README.md", pages, tmp_path)
    with pytest.raises(SystemExit, match=r"nowhere\.md is no page and no file"):
        linked("[a](nowhere.md)", "docs/data.md", pages, tmp_path)


def test_no_page_takes_the_name_of_one_that_sphinx_writes(monkeypatch):
    assert page_names()["docs/search.md"] == "searching.md"
    assert "[docs/search.md](../../searching.md)" in command_page("serve")
    monkeypatch.delitem(places.OTHERS, "docs/search.md")
    with pytest.raises(SystemExit, match=r"the names search\.md"):
        page_names()


def test_the_index_lists_every_page():
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    assert len(GROUP.findall(index)) > 20
    assert ":caption: Tutorials\n\ntutorial-build\n" in contents(index, page_names(), {})
    with pytest.raises(SystemExit, match=r"docs/index\.md does not list media\.md"):
        contents(index.replace("](media.md)", "](data.md)"), page_names(), {})


def test_a_notebook_is_a_page_of_its_words_and_code():
    page = page_of_notebook(ROOT / "docs/notebooks/score.ipynb")
    assert page.startswith("# Score your own model\n") and "```python\nimport numpy as np" in page


def test_what_leads_nowhere_or_is_fetched_from_elsewhere_is_told(tmp_path):
    (tmp_path / "a.html").write_text(
        '<p id="x"></p><a href="#x"></a><a href="#y"></a><a href="b.html#z"></a><a href="c.html"></a>'
        '<a href="https://elsewhere.org/"></a><script src="https://cdn.org/a.js"></script><img src="no.png">'
        '<link rel="stylesheet" href="//fonts.org/f.css"><link rel="canonical" href="https://x.org/">'
    )
    (tmp_path / "b.html").write_text('<p id="z"></p>')
    (tmp_path / "s.css").write_text("@font-face { src: url('https://fonts.org/f.woff2') } a { background: url(a.svg) }")
    assert faults_of_site(tmp_path) == [
        "a.html loads https://cdn.org/a.js",
        "a.html loads //fonts.org/f.css",
        "a.html: #y leads nowhere",
        "a.html: c.html leads nowhere",
        "a.html: no.png is not there",
        "s.css loads something from elsewhere",
    ]


def test_building_the_site_is_what_ci_does():
    assert "make docs" in (ROOT / ".ci" / "run").read_text()
    planned = subprocess.run(["make", "-n", "docs"], cwd=ROOT, capture_output=True, text=True).stdout
    assert "docs/site/make.py" in planned
