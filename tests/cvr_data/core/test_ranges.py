"""Numbers of options: what lies outside a range is one line, whichever component it is of."""

from dataclasses import dataclass, field

import pytest

from cvr_bench.families import families
from cvr_bench.training.config import TrainConfig
from cvr_data.core.errors import CvrError
from cvr_data.core.ranges import SHARE, TEMPERATURE, check_ranges, option_range
from cvr_data.core.registry import parse_config


@dataclass(frozen=True, kw_only=True)
class Config:
    share: float = field(default=0.5, metadata=option_range(SHARE))
    width: int = field(default=8, metadata=option_range("[1, inf)"))
    heat: float | None = field(default=None, metadata=option_range(TEMPERATURE))
    seed: int = 0
    low: float = -1.0


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("share=1", r"me: share must be in \[0, 1\), got 1.0\."),
        ("share=-0.1", "share must be in"),
        ("share=nan", "share must be a number of at most 1e\\+30, got nan"),
        ("width=0", r"width must be at least 1, got 0\."),
        ("heat=0", "heat must be in"),
        ("heat=inf", "heat must be a number"),
        ("seed=-1", "seed must be at least 0, got -1"),
        ("seed=99999999999", "seed must be a number of at most"),
        ("low=1e38", "low must be a number of at most"),
    ],
)
def test_a_number_outside_its_range_is_one_line(option, message):
    with pytest.raises(CvrError, match=message):
        parse_config(Config, [option], where="me")


def test_numbers_within_are_taken():
    assert parse_config(Config, ["share=0", "heat=none", "low=-3", "seed=5"], where="me").low == -3.0


@pytest.mark.parametrize(
    "option", ["clip_norm=-1", "lr=inf", "warmup=1", "weight_decay=-1", "patience=-1", "seed=-1", "hard_negatives=-2"]
)
def test_training_refuses_what_would_not_train(option):
    with pytest.raises(CvrError, match=option.split("=", maxsplit=1)[0]):
        parse_config(TrainConfig, [option], where="train")


def test_no_component_has_a_default_outside_its_own_range_and_every_temperature_and_share_has_one():
    models = families()["models"]
    for name in models.names():
        config = models.get(name).Config
        check_ranges(config, {each.name: each.default for each in config.__dataclass_fields__.values()})
        for option in ("temperature=0", "temperature=-1", "temperature=inf", "dropout=1", "dropout=-1", "width=0"):
            if option.split("=", maxsplit=1)[0] in config.__dataclass_fields__:
                with pytest.raises(CvrError):
                    models.config(name, [option])
