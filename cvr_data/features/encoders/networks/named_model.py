"""A model that someone else runs, named as MODULE:NAME: with the methods of MTEB or of sentence-transformers."""

import inspect
from typing import Any

from cvr_data.core.errors import CvrError
from cvr_data.core.trust import import_named, require_named
from cvr_data.features.encoders.networks.checkpoints import loading_encoder


def load_named_encoder(place: str, argument: str | None) -> Any:
    """Return the model that MODULE:NAME names, or that it gives when called with the argument.

    Raises:
        CvrError: the name or the argument comes from a file alone or leads nowhere, or what it names cannot be loaded
            or encodes nothing.
    """
    module_name, colon, name = place.partition(":")
    if not colon or not name:
        raise CvrError(f"mteb: model should look like package.module:name, got {place!r}.")
    require_named(place, "mteb: model")
    if argument is not None:
        require_named(argument, f"mteb: the argument of {place},")
    try:
        named = getattr(import_named(place, "mteb: model"), name)
    except ModuleNotFoundError as error:
        raise CvrError(f"mteb: cannot import {module_name}: no module named {error.name!r}.") from None
    except AttributeError:
        raise CvrError(f"mteb: {module_name} has no {name!r}.") from None
    is_model = not isinstance(named, type) and _has_methods(named)
    with loading_encoder(f"mteb: {place} cannot be loaded with {argument!r}", OSError, ValueError, KeyError):
        model = named if is_model else named(*([] if argument is None else [argument]))
    if not _has_methods(model):
        raise CvrError(f"mteb: {place} has neither encode nor get_text_embeddings and get_image_embeddings.")
    return model


def encoder_takes_loader(model: Any) -> bool:
    """Return whether a model's `encode` is that of MTEB 2, which is given a DataLoader and the task's metadata."""
    encode = getattr(model, "encode", None)
    return encode is not None and "task_metadata" in inspect.signature(encode).parameters


def _has_methods(model: Any) -> bool:
    names = ("get_text_embeddings", "get_image_embeddings")
    return callable(getattr(model, "encode", None)) or all(callable(getattr(model, name, None)) for name in names)
