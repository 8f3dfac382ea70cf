"""The papers that go with a published dataset: how to cite it, under which licences its parts are, how it was made.

CITATION.cff  LICENCES.md  licences/*  recipe.yaml
"""

from collections.abc import Sequence
from pathlib import Path

import yaml

from cvr_data.core.errors import CvrError
from cvr_data.core.whole_files import write_bytes
from cvr_data.triplets.card import SourceOfVideos, card_cell

METHODS = [
    {"type": "article", "title": "CoVR: Learning Composed Video Retrieval from Web Video Captions",
     "authors": [{"family-names": name} for name in ("Ventura", "Yang", "Schmid", "Varol")],
     "url": "https://arxiv.org/abs/2308.14746"},
]  # fmt: skip
"""What a dataset made by mining captions builds on."""


def publication_citation(name: str, repo: str, key: str, endpoint: str = "https://huggingface.co") -> bytes:
    """Return CITATION.cff; its version is the key of the triplets, and its author the owner of the repository."""
    content = {
        "cff-version": "1.2.0",
        "message": "If you use this dataset, please cite it, and the owners of its videos and captions.",
        "type": "dataset",
        "title": name,
        "authors": [{"name": repo.split("/")[0]}],
        "version": key,
        "url": f"{endpoint}/datasets/{repo}",
        "references": METHODS,
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True).encode()


def publication_licences(sources: Sequence[SourceOfVideos], files: Sequence[str], *, with_videos: bool) -> bytes:
    """Return LICENCES.md: the licence of each source of videos, what of it is published, the files that say more."""
    lines = [
        "# Licences",
        "",
        "Ids, urls, splits, scores and the modification texts are this dataset's own, so far as they can be owned.",
        "Videos and captions belong to their owners, and are under these licences:",
        "",
    ]
    published = "captions and videos" if with_videos else "captions"
    for source in sources:
        part = f"{published} are part of this dataset" if source.is_redistributable else "ids and urls only"
        lines.append(f"- {card_cell(source.source)}: {card_cell(source.licence)}, {source.videos} videos: {part}")
    if any(not source.is_redistributable for source in sources):
        lines += [
            "",
            "Where a licence is unknown or forbids it, captions, changes worked out from them, thumbnails, features",
            "and media were left out.",
        ]
    if files:
        lines += ["", "The licences as they came:", "", *(f"- [{name}]({name})" for name in files)]
    return ("\n".join(lines) + "\n").encode()


def publish_licence_files(paths: Sequence[Path], folder: Path) -> list[str]:
    """Copy files into licences/ and return their paths in the repository.

    Raises:
        CvrError: one cannot be read, or two have one name.
    """
    names: list[str] = []
    for path in paths:
        name = f"licences/{path.name}"
        if not path.is_file():
            raise CvrError(f"--licence-file {path}: no such file.")
        if name in names:
            raise CvrError(f"--licence-file: two files are called {path.name}; rename one.")
        (folder / "licences").mkdir(exist_ok=True)
        write_bytes(folder / name, path.read_bytes())
        names.append(name)
    return sorted(names)


def publication_recipe(name: str, commands: Sequence[str]) -> bytes:
    """Return recipe.yaml: the commands that made the dataset, as `cvr run` takes them."""
    steps = [command.replace("$", "$$") for command in commands if command.startswith("cvr ")]
    content = {"name": name, "summary": "What made this dataset, in order.", "steps": steps}
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000).encode()
