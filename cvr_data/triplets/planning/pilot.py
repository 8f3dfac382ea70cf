"""Takes drawn pairs through the stages that the whole corpus will go through, and reads off what became of them.

    stages = Stages(texts=Config(backend="rules"))
    pilot = run_triplet_pilot(Path("pairs"), Path("plan/pilot-200"), Draw(pairs=200), stages)
    pilot.rows        # one per text: its group, its drop_reason or null, its scores

Each folder below is an artifact of the stage of that name: pairs, texts, scored (where scores are wanted), triplets.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import Artifact
from cvr_data.modifications.checking.judge import JudgeConfig
from cvr_data.modifications.checking.score import Config as ScoreConfig
from cvr_data.modifications.checking.score import score_modifications
from cvr_data.modifications.generate import generate_modifications
from cvr_data.modifications.generator import Config as TextsConfig
from cvr_data.triplets.build import build_triplets, find_triplet_parts
from cvr_data.triplets.join import Config as BuildConfig
from cvr_data.triplets.planning.draw import ENDS, Draw, draw_triplet_pilot_pairs, triplet_pilot_draw_keys

SIDES = {
    "cycle_gain": "least", "cycle_score": "least", "text_score": "most", "text_similarity": "least",
    "visual_similarity": "least",
}  # fmt: skip
"""Scores that a cut may be made of -> whether high ones (`least`) or low ones (`most`) are good."""
OF_PAIR = ("pair_id", *ENDS, "text_similarity", "visual_similarity", "split")


@dataclass(frozen=True, kw_only=True)
class Stages:
    """What the whole corpus will be built with."""

    texts: TextsConfig
    build: BuildConfig = BuildConfig()  # noqa: RUF009  # frozen
    judge: JudgeConfig | None = None
    """Whose verdicts the purity may be by."""
    is_scored: bool = False
    """Whether texts get the scores that cuts are made of."""
    embeddings: Path | None = None
    """Of frames; adds their scores, and what `needs_both` asks."""
    needs_both: bool = False
    """Drop val and test queries that one input alone solves."""


@dataclass(frozen=True)
class Pilot:
    """What became of the drawn pairs."""

    folder: Path
    pairs: Artifact
    texts: Artifact
    scored: Artifact | None
    triplets: Artifact
    rows: pa.Table
    """A row per text: modification_id, ends, style, modification, split, `step` and `reason` of what dropped it (null
    where it became a triplet), scores, `judge_verdict`."""
    groups_N: np.ndarray
    """uint64, equal for rows of the same two videos."""

    @property
    def is_kept_N(self) -> np.ndarray:
        """Whether each text became a triplet."""
        return pc.is_null(self.rows.column("reason")).to_numpy(zero_copy_only=False)

    def made_by(self) -> list[Artifact]:
        """Return the artifacts that texts are taken through, in order."""
        return [self.texts, *([self.scored] if self.scored else []), self.triplets]


def run_triplet_pilot(
    pairs: Path, folder: Path, draw: Draw, stages: Stages, *, cache: Path, overwrite: bool = False
) -> Pilot:  # fmt: skip
    """Run the stages on drawn pairs, resuming what is already done.

    Raises:
        CvrError: what the stages raise, or the folders hold something else.
    """
    drawn = draw_triplet_pilot_pairs(pairs, folder / "pairs", draw, overwrite=overwrite)
    texts = generate_modifications(drawn.path, folder / "texts", stages.texts, cache=cache, overwrite=overwrite)
    scored = None
    if (stages.is_scored or stages.judge) and texts.manifest["rows"]:
        asked = ScoreConfig(judge=stages.judge)
        scored = score_modifications(texts.path, folder / "scored", asked, cache=cache, overwrite=overwrite)
    parts = find_triplet_parts([texts.path], embeddings=stages.embeddings)
    parts = replace(parts, needs_both=stages.needs_both)
    built = build_triplets(parts, folder / "triplets", stages.build, name="pilot", overwrite=overwrite)
    rows = _rows(drawn, scored or texts, built)
    return Pilot(folder, drawn, texts, scored, built, rows, triplet_pilot_draw_keys(rows, draw.seed))


def _rows(pairs: Artifact, texts: Artifact, built: Artifact) -> pa.Table:
    """Return a row per text with what became of it."""
    found = texts.read()
    of_pair = pairs.read()
    of_pair = of_pair.select([name for name in OF_PAIR if name in of_pair.column_names])
    met = of_pair.take(pc.index_in(found.column("pair_id"), of_pair.column("pair_id")))
    lost = _lost(built)
    own = zip(found.column("modification_id").to_pylist(), met.column("target_id").to_pylist(), strict=True)
    reasons = [lost.get(name, (None, None)) for name in own]
    columns: dict[str, Any] = {
        name: found.column(name) for name in ("modification_id", "modification", "style", "status")
    }
    columns |= {name: met.column(name) for name in met.column_names}
    columns |= {
        name: pa.array([each[at] for each in reasons], pa.string()) for at, name in enumerate(("step", "reason"))
    }
    extra = [*SIDES, "judge_verdict"]
    columns |= {name: found.column(name) for name in extra if name in found.column_names}
    return pa.table(columns)


def _lost(built: Artifact) -> dict[tuple[str, str], tuple[str, str]]:
    """Return the text's id and its pair's target -> the step of the build that dropped it, and why."""
    table = built.dropped()
    if not table.num_rows:
        return {}
    steps = [entry["step"] for entry in built.manifest["funnel"] if entry["stage"] == built.stage]
    names = ("modification_id", "target_id", "drop_step", "drop_reason")
    columns = (table.column(name).to_pylist() for name in names)
    return {(name, target): (steps[step], reason) for name, target, step, reason in zip(*columns, strict=True)}


def triplet_pilot_scores(rows: pa.Table) -> dict[str, np.ndarray]:
    """Return the scores that rows have, NaN where one has none."""
    return {name: rows.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False) for name in SIDES
            if name in rows.column_names and rows.column(name).null_count < rows.num_rows}  # fmt: skip
