"""What was measured, as data: two results may stand in one column only if their protocols are equal.

A protocol says how the gallery is made, what happens to the reference video, how ties count, what asks, and what a text
is. Its key is the hash of its fields. That the best of several targets counts, and that videos without features are
left out and counted, holds always. How many frames or tokens a model reads is the model's own (`Result.reads`).
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

from cvr_data.core.artifacts import artifact_key
from cvr_data.core.errors import CvrError, did_you_mean

RETIRED = ("several_targets", "frames", "text_truncation", "missing_videos", "selection_split")
"""Fields of older results: they were the same for all, or belong to the model."""


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """The rules of one measurement."""

    gallery: Literal[
        "split", "named", "targets", "listed", "candidates", "per-query", "split+distractors", "named+distractors"
    ] = "split"
    """What is ranked: `split` is every video of the scored split, targets, references and distractors, each once;
    `named` only the targets and references that its triplets name, `targets` only their targets; `listed` the items of
    the benchmark's own list; `candidates` those of its list for each query; `+distractors` adds mined ones;
    `per-query` has one entry per query, its target, so that a target of several queries stands there several times."""
    reference: Literal["exclude", "keep"] = "exclude"
    """Whether a query's own reference video is left out of its ranking, as CoVR and FDCA do."""
    ties: Literal["against", "random", "in-favour"] = "against"
    """What a gallery video that scores exactly as high as the target does: `against` ranks before it, so that a
    constant model ranks last; `random` is what is expected over all orders of equals; `in-favour` none does."""
    target_pooling: Literal["mean", "query-annotation"] = "mean"
    """How the frames of a gallery video become its embedding: `mean` is the model's own way; `query-annotation` weighs
    those of a target by the annotated scores of the query it answers, as CoVR's code does, which is a use of labels."""
    direction: Literal["composed", "text-to-video", "video-to-text"] = "composed"
    """What asks, and what is ranked."""
    unit: Literal["sentence", "paragraph", "set"] = "sentence"
    """What a text is: one caption or modification, all captions of a video joined, or all of them as one set."""
    text_template: str = "$modification"
    """What the model reads."""
    post_processing: Literal["none", "dual-softmax", "qb-norm"] = "none"
    """What is done to the scores of a query in the light of other queries: `dual-softmax` uses all test queries,
    `qb-norm` a bank of train queries."""
    checkpoint_chosen: Literal["elsewhere", "on what is scored"] = "elsewhere"
    """Whether the queries that are scored have chosen the checkpoint: those of a val split that training looked at."""

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            choices, value = get_args(hint), getattr(self, name)
            if choices and value not in choices:
                raise CvrError(f"protocol: {name} cannot be {value!r}. {did_you_mean(str(value), choices)}")

    @property
    def key(self) -> str:
        """The hash of all fields."""
        return artifact_key(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Protocol":
        """Return the protocol that `to_json` gave; what older ones said beside it is left out.

        Raises:
            CvrError: a field is unknown, or its value is not allowed.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        fields = {name: value for name, value in fields.items() if name not in RETIRED}
        for name in fields:
            if name not in names:
                raise CvrError(f"protocol: unknown field {name!r}. {did_you_mean(name, names)}")
        return cls(**fields)

    def differences(self, other: "Protocol") -> list[str]:
        """Return one line per field that differs, `reference: exclude, not keep`; none if they are equal."""
        mine, theirs = self.to_json(), other.to_json()
        return [f"{name}: {mine[name]}, not {theirs[name]}" for name in mine if mine[name] != theirs[name]]
