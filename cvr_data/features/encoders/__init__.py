"""Encoders of texts and videos, one file per family."""

from typing import TYPE_CHECKING, Any, Protocol

from cvr_data.core.registry import Family, Member

if TYPE_CHECKING:  # torch, which names do not need
    from cvr_data.features.protocol import Encoder


class EncoderModule(Member, Protocol):
    """A module that loads an encoder; what an encoder may give beside is in `features/protocol.py`."""

    def load(self, config: Any) -> "Encoder":
        """Return the encoder, its weights in memory.

        Raises:
            CvrError: a checkpoint is missing, cannot be reached or read, or holds another model's weights.
        """


ENCODERS: Family[EncoderModule] = Family(__name__, EncoderModule)
