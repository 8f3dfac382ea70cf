"""Writes other texts of accepted ones: more ways to ask for the same, to train on, and wrong ones, as hard negatives.

    vary_texts(Path("modifications/rules"), Path("modifications/varied"), Config(splits=("train",)))

The kinds are those of `cvr_data.modifications.variants`. What keeps the target is `ok`, and `cvr build-triplets` makes
triplets of it beside the texts it comes from. What asks for something else is `rejected`, with its kind as the reason:
no triplet, but a text that a model must not follow from this reference to this target.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError
from cvr_data.core.registry import config_dict
from cvr_data.core.runner import StageRun
from cvr_data.core.stages import Step
from cvr_data.modifications.asked import ROWS, TEXTS
from cvr_data.modifications.counts import count_modification_verdicts, gather_modification_counts
from cvr_data.modifications.lookup import Lookup, check_modifications_have_pairs, generator_looked_up_rows
from cvr_data.modifications.variants import KEEPING, OTHER, Variant, modification_variants
from cvr_data.tables import MODIFICATIONS, modification_id

STAGE, VERSION, MODEL = "generate-modifications-varied", 3, "variants"
OF_PAIR = ("reference_caption", "target_caption", "changes", "split", "reference_id")
ASKED = 20
"""Texts of other pairs that are tried as irrelevant ones."""


@dataclass(frozen=True, kw_only=True)
class Config:
    kinds: tuple[str, ...] = (*KEEPING, *OTHER)
    """Of the texts that are written."""
    splits: tuple[str, ...] = ()
    """Only texts of pairs of these splits; empty: all."""

    def __post_init__(self) -> None:
        if unknown := [kind for kind in self.kinds if kind not in (*KEEPING, *OTHER)]:
            raise CvrError(f"Unknown kind {unknown[0]!r}; there are {', '.join((*KEEPING, *OTHER))}.")


def vary_texts(
    modifications: Path, out: Path, config: Config, *, pairs: Path | None = None, overwrite: bool = False
) -> Artifact:  # fmt: skip
    """Write the other texts of accepted ones as an artifact of texts, and return it.

    Raises:
        CvrError: the pairs of the texts are not to be found, are other pairs, or `out` holds something else.
    """
    texts = open_artifact(modifications, stage=TEXTS)
    pairs = pairs or texts.input_path("pairs")
    inputs = {"modifications": modifications, "pairs": pairs}
    run = StageRun(
        out, stage=STAGE, version=VERSION, config=config_dict(config), inputs=inputs, overwrite=overwrite
    )  # fmt: skip
    if (done := run.finished()) is not None:
        return done
    with run:
        required = [field.name for field in MODIFICATIONS if not field.nullable]
        flow = run.read(modifications, MODIFICATIONS.names, required, part_rows=ROWS)
        named = tuple(f"_{name}" for name in OF_PAIR)
        lookup = Lookup(ids=("pair_id",), key="pair_id", columns=OF_PAIR, names=(named,))
        flow = generator_looked_up_rows(flow, run.read(pairs, ["pair_id", *OF_PAIR], ["pair_id", *OF_PAIR]), lookup)
        flow = flow.then(
            Step(name="varied", run=vary_modifications, config=config, makes_rows=True, is_counted=False, tells=True)
        )
        run.write_parts(flow, MODIFICATIONS)
        return run.finish(**gather_modification_counts(run.told, "status", "reasons"))


def vary_modifications(config: Config, texts: pa.Table) -> tuple[pa.Table, Counter[str]]:
    """Return the other texts of those of a part that are accepted, and how many there are of each kind."""
    texts = check_columns(texts, MODIFICATIONS, "the texts").filter(pc.equal(texts.column("status"), "ok"))
    if "_reference_id" in texts.column_names:
        check_modifications_have_pairs(texts.column("_reference_id"))
    for name in ("modification", "_reference_caption", "_target_caption"):  # of nothing there is no other text
        if name in texts.column_names:
            texts = texts.filter(pc.is_valid(texts.column(name)))
    if config.splits and "_split" in texts.column_names:
        texts = texts.filter(pc.is_in(texts.column("_split"), pa.array(config.splits)))
    rows = texts.to_pylist()
    made = [_row(row, variant) for place, row in enumerate(rows) for variant in _variants(config, rows, place)]
    told = count_modification_verdicts([row["status"] for row in made], [row["reasons"] for row in made])
    table = check_columns(pa.Table.from_pylist(made, schema=MODIFICATIONS), MODIFICATIONS, STAGE)
    return table, told


def _variants(config: Config, rows: Sequence[Mapping[str, Any]], place: int) -> Iterator[Variant]:
    row, step = rows[place], 1 + len(rows) // 3  # texts of pairs that stand far off seldom are about the same videos
    others = [rows[(place + step + number) % len(rows)]["modification"] for number in range(min(ASKED, len(rows) - 1))]
    known = {name: row[f"_{name}"] for name in OF_PAIR[:3]}
    for variant in modification_variants({**known, "modification": row["modification"]}, others):
        if variant.kind in config.kinds:
            yield variant


def _row(row: Mapping[str, Any], variant: Variant) -> dict[str, Any]:
    keeps = variant.kind in KEEPING
    about = {"style": row["style"], "backend": "rules", "model": MODEL}
    sha256 = hashlib.sha256(f"{variant.kind} {row['modification_id']}".encode()).hexdigest()
    name = modification_id(pair_id=row["pair_id"], prompt_sha256=sha256, seed=variant.number, **about)
    return {
        "modification_id": name, "pair_id": row["pair_id"], "modification": variant.text, **about,
        "prompt": variant.kind, "prompt_sha256": sha256, "seed": variant.number, "raw": None,
        "status": "ok" if keeps else "rejected", "reasons": [] if keeps else [variant.kind], "tokens_in": None,
        "tokens_out": None,
    }  # fmt: skip
