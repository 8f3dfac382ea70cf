"""What a pair asks for: the change that a style describes, and the variables of a prompt."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cvr_data.core.artifacts import Artifact
from cvr_data.language.words import words_of
from cvr_data.modifications.asking.request import Change

Pair = Mapping[str, Any]
FARTHEST = 3
"""Words from what changes to its noun."""
NOTHING = "nothing"
"""What prompts have in the place of what comes or goes where nothing does."""


def prompted_change(pair: Pair, kind: str) -> Change | None:
    """Return the pair's change of a kind (any, static, action), several joined with "and"; None where it has none."""
    alike = prompted_changes(pair, kind)
    if not alike:
        return None
    return Change(
        kind=alike[0].kind,
        slot=alike[0].slot if len(alike) == 1 else "several",
        before=" and ".join(change.before for change in alike if change.before),
        after=" and ".join(change.after for change in alike if change.after),
    )


def prompted_changes(pair: Pair, kind: str) -> tuple[Change, ...]:
    """Return the pair's changes of a kind (any, static, action): what a text of the kind must say, as lint wants it.

    A pair whose changes were never typed is read as CoVR's rules read it: the first word that differs.
    """
    changes = pair["changes"] or ([_first_difference(pair)] if kind == "any" else [])
    alike = [change for change in changes if kind in ("any", change["kind"])]
    sides = [{name: change[name] or "" for name in ("kind", "slot", "before", "after")} for change in alike]
    return tuple(Change(**change) for change in sides if change["before"] or change["after"])


def prompt_variables_of_pair(pair: Pair, change: Change, kind: str = "any") -> dict[str, str]:
    """Return the variables a prompt may use: the text columns of the pair, and what changes and stays.

    What changes of this kind is told as it stands in the captions, with the noun it belongs to: "the red car".
    """
    columns = {name: value for name, value in pair.items() if isinstance(value, str)}
    reference, target = words_of(pair["reference_caption"]), words_of(pair["target_caption"])
    before, after = (
        _told_side_of_changes(pair, side, kind) or getattr(change, side) or NOTHING for side in ("before", "after")
    )
    return {
        **columns,
        "reference_description": prompted_description(pair, "reference"),
        "target_description": prompted_description(pair, "target"),
        "kind": change.kind,
        "slot": change.slot,
        "before": before,
        "after": after,
        "excluded": before,
        "injected": after,
        "retained": " ".join(word for word in reference if word in target),
    }


def _told_side_of_changes(pair: Pair, side: str, kind: str) -> str:
    """Return one side of the changes of a kind, joined with "and", each with the noun that its caption says it of."""
    alike = [change for change in pair["changes"] or () if kind in ("any", change["kind"]) and change[side]]
    caption = pair["reference_caption" if side == "before" else "target_caption"]
    return " and ".join(_in_place(change[side], change.get(f"{side}_phrase"), caption) for change in alike)


def _in_place(words: str, phrase: Mapping[str, Any] | None, caption: str) -> str:
    """Return words of a caption up to the noun that they belong to, with "the" if it has an article; or as they are."""
    if phrase is None or not phrase["head"] or not phrase["start"] < phrase["end"] <= len(caption):
        return words
    head = caption.lower().find(phrase["head"], phrase["start"])
    end = max(phrase["end"], head + len(phrase["head"]))
    told = caption[phrase["start"] : end].lower()
    if head < 0 or len(told.split()) > len(words.split()) + FARTHEST:
        return words
    is_definite = phrase["determiner"] in ("a", "an", "the") and told.split()[0] not in ("a", "an", "the")
    return f"the {told}" if is_definite else told


def prompted_description(pair: Pair, side: str) -> str:
    """Return the description of the pair's `reference` or `target`, or its caption where it has none."""
    return pair.get(f"{side}_description") or pair[f"{side}_caption"]


def prompted_videos(pairs: Artifact, videos: Path | None) -> Path | None:
    """Return the videos that a pairs artifact was made from, or those given; None if it was made from none."""
    return videos or (pairs.input_path("videos") if "videos" in pairs.manifest["inputs"] else None)


def _first_difference(pair: Pair) -> dict[str, str]:
    words = zip(words_of(pair["reference_caption"]), words_of(pair["target_caption"]), strict=False)
    before, after = next(((one, other) for one, other in words if one != other), ("", ""))
    return {"kind": "", "slot": "", "before": before, "after": after}
