"""Modification texts that say exactly what changes, written from the truth of the synthetic world.

They are the ceiling the texts of rules and language models are measured against. Half of the sentence patterns are
used for test pairs only, so that no model can learn the wording of the test.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.core.runner import StageRun
from cvr_data.core.stages import Side, Step
from cvr_data.modifications.counts import count_modification_values, gather_modification_counts
from cvr_data.tables import MODIFICATIONS, PAIRS, content_id, modification_id
from cvr_data.videos.synthetic.concepts import VERBS, Concept, Verb
from cvr_data.videos.synthetic.grammar import synthetic_noun_with_article
from cvr_data.videos.synthetic.truth import Truth, read_synthetic_truth

STAGE = "generate-modifications-truth"
VERSION = 2
MADE_BY = {
    "style": "short",
    "backend": "truth",
    "model": "truth",
    "prompt_sha256": hashlib.sha256(b"").hexdigest(),
}
TRAIN_PATTERNS = {
    "object": (
        "replace the {before} with {a_after}",
        "show {a_after} instead of the {before}",
        "change the {before} to {a_after}",
    ),
    "attribute": (
        "make the {object} {after}",
        "make it {after} instead of {before}",
        "change it from {before} to {after}",
    ),
    "scene": (
        "put it in front of the {after}",
        "show the {after} instead of the {before}",
        "change the {before} to the {after}",
    ),
    "action": ("make it {after}", "it {after_third} instead of {before_gerund}", "now the {object} {after_third}"),
    "camera": ("make the camera {after}", "the camera {after_third} instead of {before_gerund}"),
}
TEST_PATTERNS = {
    "object": (
        "swap the {before} for {a_after}",
        "it should be {a_after}, not {a_before}",
        "turn the {before} into {a_after}",
    ),
    "attribute": (
        "turn the {object} {after}",
        "the {object} should be {after} rather than {before}",
        "the same but {after}, not {before}",
    ),
    "scene": (
        "move it to the {after}",
        "the background is the {after}, not the {before}",
        "the {after} is behind it rather than the {before}",
    ),
    "action": (
        "let it {after}",
        "have the {object} {after} rather than {before}",
        "the {object} is {after_gerund}, not {before_gerund}",
    ),
    "camera": ("let the camera {after} rather than {before}", "now the camera is {after_gerund}"),
}
_STAY = Verb("stay still", "stays still", "staying still")
_COLUMNS = ["pair_id", "reference_id", "target_id", "reference_caption", "target_caption"]
_ATTRIBUTES = ("colour", "texture", "size")


def write_truth_modifications(
    pairs: Path,
    out: Path,
    *,
    videos: Path | None = None,
    splits: Sequence[str] = (),
    seed: int = 0,
    overwrite: bool = False,
) -> Artifact:
    """Write the true modification of every pair of a pairs artifact (of some splits), and return the artifact.

    Raises:
        CvrError: the pairs are not of the synthetic world, or `out` holds something else.
    """
    source = open_artifact(pairs)
    videos = videos or source.input_path("videos")
    inputs = {"pairs": pairs, "videos": videos}
    config = {"seed": seed, "splits": sorted(splits), **MADE_BY}
    run = StageRun(out, stage=STAGE, version=VERSION, config=config, inputs=inputs, overwrite=overwrite)
    if (done := run.finished()) is not None:
        return done
    read_synthetic_truth(videos)  # refused before anything is written
    with run:
        required = [field.name for field in PAIRS if not field.nullable]
        flow = run.read(pairs, [*required, "split"], required)
        flow = flow.then(Step(name="pairs", run=_of_splits, config=(str(pairs), tuple(splits)), is_counted=False,
                              makes_rows=True))  # fmt: skip
        truth = Side(read_synthetic_truth, (videos,))
        run.write_parts(
            flow.then(Step(name="truth", run=_truth_texts_written, config=seed, sides=(truth,), tells=True))
        )
        return run.finish(**gather_modification_counts(run.told, "status"))


def _of_splits(config: tuple[str, tuple[str, ...]], part: pa.Table) -> pa.Table:
    where, splits = config
    part = check_columns(part, PAIRS, where)
    return part.filter(pc.is_in(part.column("split"), pa.array(splits, pa.string()))) if splits else part


def _truth_texts_written(seed: int, pairs: pa.Table, truth: Truth) -> tuple[pa.Table, Counter[str]]:
    modifications = truth_modifications(pairs, truth, seed)
    return modifications, count_modification_values("status", modifications.column("status").to_pylist())


def truth_modifications(pairs: pa.Table, truth: Truth, seed: int = 0) -> pa.Table:
    """Return one row per pair; a pair whose clips show the same is rejected with the reason no_true_change."""
    rows = [_row_of_truth_text(pair, truth, seed) for pair in pairs.select(_COLUMNS).to_pylist()]
    return pa.Table.from_pylist(rows, schema=MODIFICATIONS)


def true_text(reference: Concept, target: Concept, *, split: str, key: str) -> str | None:
    """Return a sentence that says every difference, its pattern drawn from `key`; None if there is none."""
    parts = [
        _text_pattern(slot, split, f"{key} {slot}").format_map(_words_of_truth_text(reference, target, slot))
        for slot in reference.differences(target)
    ]
    return ", and ".join(parts) or None


def _row_of_truth_text(pair: Mapping[str, Any], truth: Truth, seed: int) -> dict[str, Any]:
    reference, target = truth.concept(pair["reference_id"]), truth.concept(pair["target_id"])
    key = f"{seed} {content_id(pair['reference_caption'], pair['target_caption'])}"  # equal captions, equal words
    text = true_text(reference, target, split=truth.splits[pair["reference_id"]], key=key)
    return {
        **MADE_BY,
        "modification_id": modification_id(pair_id=pair["pair_id"], seed=seed, **MADE_BY),
        "pair_id": pair["pair_id"],
        "modification": text,
        "prompt": "truth",
        "seed": seed,
        "raw": text,
        "status": "rejected" if text is None else "ok",
        "reasons": ["no_true_change"] if text is None else [],
        "tokens_in": 0,
        "tokens_out": len(text.split()) if text else 0,
    }


def _text_pattern(slot: str, split: str, key: str) -> str:
    family = "attribute" if slot in _ATTRIBUTES else slot
    patterns = (TEST_PATTERNS if split == "test" else TRAIN_PATTERNS)[family]
    return patterns[int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % len(patterns)]


def _words_of_truth_text(reference: Concept, target: Concept, slot: str) -> dict[str, str]:
    before, after = getattr(reference, slot), getattr(target, slot)
    words = {"object": target.object}
    if slot in VERBS:
        for name, value in (("before", before), ("after", after)):
            verb = VERBS[slot][value][0] if value in VERBS[slot] else _STAY
            words[name] = f"{verb.base} {verb.particle}".strip()
            words[f"{name}_third"] = f"{verb.third} {verb.particle}".strip()
            words[f"{name}_gerund"] = f"{verb.gerund} {verb.particle}".strip()
        return words
    words |= {"before": _said_in_truth_text(before), "after": _said_in_truth_text(after)}
    return words | {"a_before": synthetic_noun_with_article(before), "a_after": synthetic_noun_with_article(after)}


def _said_in_truth_text(value: str) -> str:
    return "medium-sized" if value == "medium" else value
