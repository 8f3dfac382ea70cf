"""What imports told of the languages of captions, for stages that read only some.

    check_languages(Path("pairs"), "the prompt 'short'", reads=("en",), otherwise="give --language en to go on")

A corpus of which every fifth caption looked at is of another language is refused: English ones have less than one in
fifty. What few captions seem to be says nothing, unless they are most of them, and neither does a corpus that no import
of ours looked at.
"""

from collections import Counter
from collections.abc import Collection
from pathlib import Path

from cvr_data.core.errors import CvrError
from cvr_data.core.lineage import lineage

MOST = 0.2
"""Share of captions in other languages from which a stage refuses."""
FEW = 20
"""Captions that have to be of other languages: fewer are names, slips and jokes."""
HALF, OF_FEW = 0.5, 4
"""So many may be fewer, where they are half of all."""


def check_languages(folder: Path, what: str, reads: Collection[str], otherwise: str) -> None:
    """Refuse captions that what reads some languages only would take for those.

    Raises:
        CvrError: an import under the folder told that a share of the captions is of other languages.
    """
    told: Counter[str] = Counter()
    for artifact in lineage([folder]):
        told.update(artifact.manifest.get("languages") or {})
    others = Counter({name: count for name, count in told.items() if name not in reads})
    total, found = told.total(), others.total()
    if not (found >= max(FEW, MOST * total) or found >= max(OF_FEW, HALF * total)):
        return
    listed = ", ".join(f"{name} {count / total:.1%}" for name, count in others.most_common(3))
    raise CvrError(
        f"{folder}: {found / total:.1%} of {total} captions that the import looked at seem to be of other languages "
        f"({listed}), and {what} reads {', '.join(reads)} alone: {otherwise}; docs/data.md, Languages."
    )
