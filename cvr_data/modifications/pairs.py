"""What a pair asks for: the change that a style describes, and the variables of a prompt."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cvr_data.core.artifacts import Artifact
from cvr_data.language.words import words_of
from cvr_data.modifications.asking.request import Change

Pair = Mapping[str, Any]
NOTHING = "nothing"
"""What prompts have in the place of what comes or goes where nothing does."""


def change_of(pair: Pair, kind: str) -> Change | None:
    """Return the pair's change of a kind (any, static, action), several joined with "and"; None where it has none."""
    alike = changes_of(pair, kind)
    if not alike:
        return None
    return Change(
        kind=alike[0].kind,
        slot=alike[0].slot if len(alike) == 1 else "several",
        before=" and ".join(change.before for change in alike if change.before),
        after=" and ".join(change.after for change in alike if change.after),
    )


def changes_of(pair: Pair, kind: str) -> tuple[Change, ...]:
    """Return the pair's changes of a kind (any, static, action): what a text of the kind must say, as lint wants it.

    A pair whose changes were never typed is read as CoVR's rules read it: the first word that differs.
    """
    changes = pair["changes"] or ([_first_difference(pair)] if kind == "any" else [])
    alike = [change for change in changes if kind in ("any", change["kind"])]
    sides = [{name: change[name] or "" for name in ("kind", "slot", "before", "after")} for change in alike]
    return tuple(Change(**change) for change in sides if change["before"] or change["after"])


def variables_of(pair: Pair, change: Change) -> dict[str, str]:
    """Return the variables a prompt may use: the text columns of the pair, and what changes and stays."""
    columns = {name: value for name, value in pair.items() if isinstance(value, str)}
    reference, target = words_of(pair["reference_caption"]), words_of(pair["target_caption"])
    return {
        **columns,
        "reference_description": shown_by(pair, "reference"),
        "target_description": shown_by(pair, "target"),
        "kind": change.kind,
        "slot": change.slot,
        "before": change.before or NOTHING,
        "after": change.after or NOTHING,
        "excluded": change.before or NOTHING,
        "injected": change.after or NOTHING,
        "retained": " ".join(word for word in reference if word in target),
    }


def shown_by(pair: Pair, side: str) -> str:
    """Return the description of the pair's `reference` or `target`, or its caption where it has none."""
    return pair.get(f"{side}_description") or pair[f"{side}_caption"]


def videos_of(pairs: Artifact, videos: Path | None) -> Path | None:
    """Return the videos that a pairs artifact was made from, or those given; None if it was made from none."""
    return videos or (pairs.input_path("videos") if "videos" in pairs.manifest["inputs"] else None)


def _first_difference(pair: Pair) -> dict[str, str]:
    words = zip(words_of(pair["reference_caption"]), words_of(pair["target_caption"]), strict=False)
    before, after = next(((one, other) for one, other in words if one != other), ("", ""))
    return {"kind": "", "slot": "", "before": before, "after": after}
