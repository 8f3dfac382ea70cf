"""Which licences let captions and media be published again; anything else goes out as ids and urls only.

    triplet_licence_redistributes("CC BY 4.0")    # True
    triplet_licence_redistributes(None)           # False: unknown is not allowed

This reads names; it is no legal advice. Licences that forbid commercial use (nc) allow publishing under the same
terms, those that forbid derivatives (nd) are left out because a caption, a text or a cut clip may be one.
"""

import re

REDISTRIBUTABLE = re.compile(
    r"apache-2(\.0)?|mit|isc|zlib|unlicense|0bsd|bsd(-[234]-clause)?|gpl.*|lgpl.*|agpl.*|mpl-2(\.0)?"
    r"|cc0(-1\.0)?|public-domain|pdm(-1\.0)?|cc-by(-nc)?(-sa)?(-[1-4]\.[05])?(-[a-z]{2,4})?"
    r"|odc-by(-1\.0)?|odbl(-1\.0)?|pddl(-1\.0)?|cdla-(permissive|sharing)-[12]\.0|c-uda(-1\.0)?|gfdl(-1\.[123])?"
)
HUB_NAMES = {"public-domain": "cc0-1.0", "cc0": "cc0-1.0", "apache-2": "apache-2.0", "odc-by-1.0": "odc-by",
             "odbl-1.0": "odbl"}  # fmt: skip


def triplet_licence_id(licence: str | None) -> str:
    """Return the licence as it is written in a list of licences: `CC BY 4.0` is cc-by-4.0, nothing is unknown."""
    text = re.sub(r"[\s_/]+", "-", (licence or "unknown").strip().lower())
    text = re.sub(r"-?licen[cs]e$", "", re.sub(r"^the-", "", text)) or "unknown"
    return re.sub(r"^(apache|mpl)-?v?(\d)", r"\1-\2", text)


def triplet_licence_redistributes(licence: str | None) -> bool:
    """Return whether the licence is one that allows publishing the material again."""
    return REDISTRIBUTABLE.fullmatch(triplet_licence_id(licence)) is not None


def triplet_licence_on_hub(licences: list[str]) -> str:
    """Return the Hub's name for a dataset with material under these licences: the one there is, other, or unknown."""
    names = {HUB_NAMES.get(triplet_licence_id(name), triplet_licence_id(name)) for name in licences}
    if not names or "unknown" in names:
        return "unknown"
    only = names.pop()
    return only if not names and triplet_licence_redistributes(only) else "other"
