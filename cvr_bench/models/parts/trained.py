"""A model as it was trained, ready to embed and to score: what `cvr encode-queries` and `cvr submit` start from."""

import dataclasses
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from cvr_bench.models import MODELS, ModelModule
from cvr_bench.models.parts.lineage import check_model_lineage_space
from cvr_bench.models.parts.retriever import (
    DenseRetriever,
    Retriever,
    is_trainable_retriever,
    module_of_retriever,
)
from cvr_bench.models.parts.weights import load_model_weights
from cvr_data.core.annotation_files import read_json
from cvr_data.core.errors import CvrError
from cvr_data.core.reading import check_json_value_types, reading
from cvr_data.core.registry import parse_config, split_key_value_options
from cvr_data.core.trust import stored
from cvr_data.features.protocol import Encoder, space_of

RESULT = "result.json"
"""Of a result folder, which names the model and its options; models know no more of results."""


def scoring_model(model: str, options: Sequence[str], checkpoint: Path | None, encoder: Encoder) -> Retriever:
    """Return the model with the weights of a checkpoint; a result folder also gives the options it was trained with.

    Raises:
        CvrError: it has to be trained and no checkpoint is given, or the checkpoint is of another model.
    """
    component = MODELS.get(model)
    with stored() if checkpoint is not None else nullcontext():
        config = parse_config(component.Config, _options(model, options, checkpoint), where=model)
        retriever = load_retriever(component, config, encoder)
    is_trained = is_trainable_retriever(retriever)
    if checkpoint is not None:
        if not is_trained:
            raise CvrError(f"{model} has no parameters, so --checkpoint has nothing to load into.")
        load_model_checkpoint(retriever, checkpoint, encoder)
    elif is_trained:
        raise CvrError(f"{model} has to be trained; pass --checkpoint, such as a result folder of cvr bench.")
    return retriever


def load_retriever(component: ModelModule, config: Any, encoder: Encoder) -> Retriever:
    """Return the model of a config. Raises CvrError: weights that its options name read features of another space."""
    for path in model_option_checkpoints(config).values():
        check_model_lineage_space(path, space_of(encoder))
    return component.load(config, encoder)


def model_option_checkpoints(config: Any) -> dict[str, Path]:
    """Return the weights that the options of a model name, by option."""
    options = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    return {name: path for name, path in options.items() if name.endswith("checkpoint") and isinstance(path, Path)}


def load_model_checkpoint(retriever: Retriever, path: Path, encoder: Encoder) -> None:
    """Load trained weights into a model made with the options of that training; `path` as `load_model_weights` has it.

    Raises:
        CvrError: the model has none, there are none, or they are of another model or read features of another space.
    """
    module = module_of_retriever(retriever)
    if module is None:
        raise CvrError(f"This model has nothing to load from {path}: it has no parameters.")
    check_model_lineage_space(path, space_of(encoder))
    load_model_weights(module, path)


def dense_model(retriever: Retriever, model: str) -> DenseRetriever:
    """Return the model if it embeds queries and gallery. Raises CvrError: it scores pairs as a whole."""
    if not isinstance(retriever, DenseRetriever):
        raise CvrError(f"{model} gives scores and no embeddings, so there are no query features to write.")
    return retriever


def _options(model: str, options: Sequence[str], checkpoint: Path | None) -> dict[str, Any]:
    given = split_key_value_options(options, model)
    if checkpoint is None or not (checkpoint / RESULT).is_file():
        return given
    record = read_json(checkpoint / RESULT, dict)
    with reading(checkpoint / RESULT, "a result"):
        check_json_value_types(record, {"model": str, "options": dict})
    if record["model"] != model:
        raise CvrError(f"{checkpoint} is a result of {record['model']}, not of {model}.")
    return {**record["options"], **given}
