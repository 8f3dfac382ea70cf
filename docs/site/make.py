"""Builds the site: `make docs` writes it to build/docs/html. Fails where a page, a link or an anchor does.

The Markdown files of the repository are its pages as they are; notebooks become pages, and the reference is made of
docstrings and of what click prints. The page that opens it, docs/index.md, says in its lists which page stands where.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from docs.site.checking import faults_of_site
from docs.site.places import page_names
from docs.site.reference import reference_pages

HERE = Path(__file__).resolve().parent
BUILD = ROOT / "build" / "docs"
LINK = re.compile(r"(\]\()([^)#\s:]+)(#[^)]*)?\)")
SCRIPT = re.compile(r"`((?:python )?((?:speed|docs/figures)/\w+\.py)[^`\n]*)`")
"""How a page names the script that measured or drew something: on the site that is a link to it."""
GROUP = re.compile(r"^## (.+)$|^[-*] \[[^\]]+\]\(([^)#]+)\)", re.MULTILINE)


def main() -> None:
    """Lay out the sources, build them, and look at what came out."""
    source, out = BUILD / "source", BUILD / "html"
    shutil.rmtree(source, ignore_errors=True)
    shutil.rmtree(out, ignore_errors=True)
    lay_out(source)
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-c", str(HERE), "-W", "--keep-going", "-q"]
    done = subprocess.run(
        [*command, "-d", str(BUILD / "doctrees"), str(source), str(out)], env={**os.environ, "PYTHONWARNINGS": ""}
    )
    if done.returncode:
        sys.exit(done.returncode)
    if faults := faults_of_site(out):
        sys.exit("\n".join(faults))
    print(f"{out / 'index.html'}: {len(list(out.rglob('*.html')))} pages, every link leads somewhere")


def lay_out(source: Path) -> None:
    """Write every page of the site, and what pages show, to a folder for Sphinx."""
    pages = page_names()
    for repository, site in pages.items():
        content = page_of_notebook(ROOT / repository) if repository.endswith(".ipynb") else read(repository)
        write(source / site, linked(content, repository, pages, source))
    reference = reference_pages()
    for site, content in reference.items():
        write(source / site, content)
    write(source / "index.md", read_path(source / "index.md") + contents(read("docs/index.md"), pages, reference))


def linked(content: str, repository: str, pages: dict[str, str], source: Path) -> str:
    """Return a page whose links, which lead through the repository, lead through the site."""
    here = Path(pages[repository]).parent

    def moved(match: re.Match) -> str:
        target = os.path.relpath((ROOT / repository).parent / match[2], ROOT)
        site = pages.get(target, target)
        if target not in pages:  # a picture or a script: it comes along
            if not (ROOT / target).is_file():
                raise SystemExit(f"{repository}: {match[2]} is no page and no file.")
            (source / site).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / target, source / site)
        return f"{match[1]}{os.path.relpath(site, here)}{match[3] or ''})"

    way = os.path.relpath(ROOT, (ROOT / repository).parent)
    return LINK.sub(moved, SCRIPT.sub(rf"[`\1`]({way}/\2)", content))


def page_of_notebook(path: Path) -> str:
    """Return the words and the code of a notebook as one page."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = [("".join(cell["source"]), cell["cell_type"] == "code") for cell in cells]
    return "\n\n".join(f"```python\n{text}\n```" if is_code else text for text, is_code in texts) + "\n"


def contents(index: str, pages: dict[str, str], reference: dict[str, str]) -> str:
    """Return the trees of the side bar: the lists of the index, then the reference."""
    groups: dict[str, list[str]] = {}
    for title, link in GROUP.findall(index):
        if title:
            groups[title] = []
        elif groups:
            groups[list(groups)[-1]].append(pages[os.path.normpath(f"docs/{link}")])
    groups = {title: links for title, links in groups.items() if links}
    groups["Reference"] = [name for name in reference if name.count("/") == 1]
    listed = [name for links in groups.values() for name in links]
    if missing := sorted({*pages.values()} - {*listed, "index.md"}):
        raise SystemExit(f"docs/index.md does not list {', '.join(missing)}.")
    return "".join(tree(title, links) for title, links in groups.items())


def tree(title: str, links: list[str]) -> str:
    """Return a part of the side bar."""
    return f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n" + "\n".join(link[:-3] for link in links) + "\n```\n"


def read(name: str) -> str:
    """Return a text of the repository."""
    return read_path(ROOT / name)


def read_path(path: Path) -> str:
    """Return a text."""
    return path.read_text(encoding="utf-8")


def write(path: Path, content: str) -> None:
    """Write a text where no folder may be yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
