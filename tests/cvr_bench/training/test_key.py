"""The key of a training: another for whatever decides the network it ends with, and for nothing else."""

import dataclasses
import typing

import pytest
import torch

from cvr_bench.models import MODELS
from cvr_bench.models.parts.batches import TrainingSet
from cvr_bench.tasks.protocol import Protocol
from cvr_bench.tasks.task import Item, Query, Task
from cvr_bench.training.config import TrainConfig
from cvr_bench.training.key import MadeBy, training_key
from cvr_data.core.registry import config_dict
from cvr_data.media.video import Video

TRAINING_SET = TrainingSet(
    reference_ids=["a", "b"], modifications=["redder", "bluer"], target_ids=["b", "c"], target_group_ids=["b", "c"],
    weights=[1.0, 2.0], extra={"kind": ["static", "action"]},
)  # fmt: skip
QUERIES = [Query("q", Item("a", Video("a")), "redder")]
GALLERY = [Item(name, Video(name)) for name in "abc"]
TASK = Task(name="t", queries=QUERIES, gallery=GALLERY, targets={"q": frozenset("b")}, ks=(1,))
MADE_BY = MadeBy(model="combiner", options={"dropout": 0.1}, source="s", features={"embeddings": "e"})
OTHER_TRAIN = {"batch_size": 32, "chunk_size": 8, "warmup": 0.5, "ema": 0.5, "loggers": "wandb"}
"""Values that are allowed where another number or word than the default would not be."""


def network(fill: float = 0.0, width: int = 2) -> torch.nn.Module:
    module = torch.nn.Linear(2, width)
    torch.nn.init.constant_(module.weight, fill)
    torch.nn.init.zeros_(module.bias)
    return module


def key(made_by=MADE_BY, start=None, training_set=TRAINING_SET, task=TASK, config=None) -> str:
    return training_key(made_by, start or network(), training_set, task, config or TrainConfig())


def another(value: object, hint: object) -> object:
    """A value of the same kind that is not the same."""
    if choices := [choice for part in (hint, *typing.get_args(hint)) for choice in typing.get_args(part)
                   if typing.get_origin(part) is typing.Literal]:  # fmt: skip
        return next(choice for choice in choices if choice != value)
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int | float) else f"{value}x"


def changed(config: object) -> dict[str, object]:
    """Each field of a Config with another value."""
    hints = typing.get_type_hints(type(config))
    return {field.name: another(getattr(config, field.name), hints[field.name]) for field in dataclasses.fields(config)}


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(TrainConfig)])
def test_every_training_option_that_can_change_the_network_is_in_the_key(name):
    values = {**changed(TrainConfig()), **OTHER_TRAIN}
    other = dataclasses.replace(TrainConfig(), **{name: values[name]})
    assert (key(config=other) == key()) == (name in ("log_every", "loggers"))


@pytest.mark.parametrize("model", MODELS.names())
def test_every_option_of_a_model_is_in_the_key_unless_it_says_that_it_changes_nothing(model):
    config = MODELS.get(model).TINY
    keys = {key(dataclasses.replace(MADE_BY, options=config_dict(config)))}
    for field in dataclasses.fields(config):
        other = config_dict(config) | {
            name: value for name, value in _other_dict(config, field.name).items() if name == field.name
        }
        keys.add(key(dataclasses.replace(MADE_BY, options=other)))
    counted = [field for field in dataclasses.fields(config) if field.metadata.get("output", True)]
    assert len(keys) == 1 + len(counted)


def _other_dict(config: object, name: str) -> dict[str, object]:
    """The options with another value of one field, which need not be one that the model allows."""
    other = object.__new__(type(config))
    for field in dataclasses.fields(config):
        value = changed(config)[name] if field.name == name else getattr(config, field.name)
        object.__setattr__(other, field.name, value)
    return config_dict(other)


@pytest.mark.parametrize(
    "other",
    [
        *({"made_by": dataclasses.replace(MADE_BY, **{name: value})} for name, value in (
            ("model", "fdca"), ("options", {"dropout": 0.2}), ("source", "t"), ("features", {"embeddings": "f"}),
        )),
        {"start": network(1.0)},
        {"start": network(width=3)},
        *({"training_set": dataclasses.replace(TRAINING_SET, **{name: value})} for name, value in (
            ("reference_ids", ["a", "c"]), ("modifications", ["redder", "greener"]), ("target_ids", ["b", "d"]),
            ("target_group_ids", ["b", "b"]), ("weights", [1.0, 3.0]), ("weights", []),
            ("extra", {"kind": ["static", "static"]}),
        )),
        {"task": None},
        *({"task": dataclasses.replace(TASK, **{name: value})} for name, value in (
            ("queries", [Query("q", Item("a", Video("a")), "greener")]), ("gallery", GALLERY[:2]),
            ("targets", {"q": frozenset("c")}), ("candidates", {"q": frozenset("ab")}), ("ks", (1, 5)),
            ("protocol", Protocol(reference="keep")),
        )),
    ],
)  # fmt: skip
def test_networks_data_and_validation_that_differ_have_other_keys(other):
    assert key(**other) != key()


def test_names_and_the_order_of_a_gallery_do_not_matter():
    assert key(task=dataclasses.replace(TASK, name="u", gallery=GALLERY[::-1], left_out={"x": 1})) == key()
