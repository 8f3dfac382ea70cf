"""Retrieval models, one file each.

A model brings `TINY`, a Config that is small enough to be tried on nine videos of the `hash` encoder.
"""

from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from cvr_data.core.registry import Family, Member

if TYPE_CHECKING:  # torch, which names do not need
    from cvr_bench.models.parts.retriever import Retriever
    from cvr_data.features.protocol import Encoder


class ModelModule(Member, Protocol):
    """A module that loads a retriever; what makes one trainable is in `models/parts/retriever.py`."""

    def load(self, config: Any, encoder: "Encoder") -> "Retriever":
        """Return the model, on features of the encoder.

        Raises:
            CvrError: the features lack what it needs (such as videos and texts in one space), a checkpoint does not fit
                it, or what an option names is unknown or cannot be read.
        """


@runtime_checkable
class ReadsClips(Protocol):
    """A model that looks at frames itself, not at stored features."""

    READS_CLIPS: bool


@runtime_checkable
class MayLackReference(Protocol):
    """A model that says whether it needs a reference video; one that does not is trained on captions."""

    NEEDS_REFERENCE: bool


@runtime_checkable
class MadeOfParts(Protocol):
    """A model whose options name components that it is made of; a result is of their source too."""

    def parts(self, config: Any) -> Sequence[ModuleType | Member]:
        """Return the components."""


MODELS: Family[ModelModule] = Family(__name__, ModelModule)
