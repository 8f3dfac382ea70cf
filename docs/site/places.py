"""Where the pages of the repository stand on the site."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OTHERS = {
    "README.md": "readme.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md",
    "docs/search.md": "searching.md",
}  # fmt: skip
"""Of those that keep neither folder nor name; Sphinx has a search.html of its own."""
TAKEN = {"search.md", "genindex.md", "py-modindex.md"}


def page_names() -> dict[str, str]:
    """Return repository path -> site path of every page that somebody wrote."""
    docs = [*sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("docs/notebooks/*.ipynb"))]
    names = [path.relative_to(ROOT).as_posix() for path in docs]
    pages = {name: name.removeprefix("docs/").replace(".ipynb", ".md") for name in names} | OTHERS
    if taken := TAKEN & {*pages.values()}:
        raise SystemExit(f"Sphinx writes pages of the names {', '.join(taken)}; name others in {Path(__file__).name}.")
    return pages
