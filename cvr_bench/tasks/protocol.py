"""What was measured, as data: two results may stand in one column only if their protocols are equal.

A protocol says how the gallery is made, what happens to the reference video, how ties and several targets count, and
how videos and texts reach the model. Its key is the hash of its fields.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

from cvr_data.core.artifacts import key_of
from cvr_data.core.errors import CvrError, did_you_mean


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
    several_targets: Literal["best"] = "best"
    """A query with several targets is found when the best of them is."""
    target_pooling: Literal["mean", "query-annotation"] = "mean"
    """How the frames of a gallery video become its embedding: `mean` is the model's own way; `query-annotation` weighs
    those of a target by the annotated scores of the query it answers, as CoVR's code does, which is a use of labels."""
    frames: str = "8 uniform"
    """Frames per video and their sampler, as the embeddings were made."""
    text_template: str = "$modification"
    """What the model reads."""
    text_truncation: str = "by the encoder"
    """How much of a long text the model reads."""
    post_processing: Literal["none", "dual-softmax", "qb-norm"] = "none"
    """What is done to the scores of a query in the light of other queries: `dual-softmax` uses all test queries,
    `qb-norm` a bank of train queries."""
    missing_videos: Literal["leave-out"] = "leave-out"
    """What happens to gallery videos without features, and to queries about them: they are left out and counted."""
    selection_split: str = "val"
    """The split on which a checkpoint is chosen."""

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            choices, value = get_args(hint), getattr(self, name)
            if choices and value not in choices:
                raise CvrError(f"protocol: {name} cannot be {value!r}. {did_you_mean(str(value), choices)}")

    @property
    def key(self) -> str:
        """The hash of all fields."""
        return key_of(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Protocol":
        """Return the protocol that `to_json` gave.

        Raises:
            CvrError: a field is unknown, or its value is not allowed.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        for name in fields:
            if name not in names:
                raise CvrError(f"protocol: unknown field {name!r}. {did_you_mean(name, names)}")
        return cls(**fields)

    def differences(self, other: "Protocol") -> list[str]:
        """Return one line per field that differs, `reference: exclude, not keep`; none if they are equal."""
        mine, theirs = self.to_json(), other.to_json()
        return [f"{name}: {mine[name]}, not {theirs[name]}" for name in mine if mine[name] != theirs[name]]
