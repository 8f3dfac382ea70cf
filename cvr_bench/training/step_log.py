"""The numbers of a training while it runs: some steps and every epoch, to a CSV file, TensorBoard and Weights & Biases.

`training-steps.csv` has a row per `log_every` steps. TensorBoard's event files and wandb's run lie in the same folder;
wandb follows its own environment (WANDB_MODE=offline keeps everything here). Both are extras:
pip install "cvr[loggers]".

`training.csv` has a row per epoch.
"""

import csv
import io
import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, redirect_stderr
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from cvr_bench.models.parts.processes import is_first_model_process
from cvr_bench.training.config import TrainConfig
from cvr_data.core.errors import CvrError
from cvr_data.core.reading import reading
from cvr_data.core.whole_files import write_bytes

if TYPE_CHECKING:
    from accelerate.tracking import GeneralTracker

LOG = "training.csv"
STEPS = "training-steps.csv"

LogRow = dict[str, float]
"""epoch, loss, loss_<part>, lr, seconds, triplets_per_s and, where validated, mean and R@K."""


def write_training_log(path: Path, rows: Sequence[LogRow]) -> None:
    """Write all rows; a value that a row lacks is empty, and the file appears whole."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: f"{value:.6g}" for name, value in row.items()} for row in rows)
    write_bytes(path, text.getvalue().encode())


class StepLog(AbstractContextManager["StepLog"]):
    """Takes the numbers of steps and epochs; processes but the first write nothing.

    After a resume, rows of steps beyond `done`, which are run again, are dropped. An epoch is put at its last step.
    """

    def __init__(self, folder: Path, config: TrainConfig, *, done: int, steps_per_epoch: int):
        self.path, self.every, self.steps_per_epoch = folder / STEPS, config.log_every, steps_per_epoch
        self.is_first = is_first_model_process()
        self.rows = _rows_before(self.path, done) if self.every and self.is_first else []
        self.loggers = _open_loggers(folder, config) if self.is_first else []

    def step(self, step: int, values: Mapping[str, Any]) -> None:
        """Take the numbers of a step, counted from 0; most are let go."""
        if not self.every or (step + 1) % self.every or not self.is_first:
            return
        row = {name: float(value) for name, value in values.items()}
        self.rows.append({"step": step + 1, **row})
        self._log("step/", row, step + 1)

    def epoch(self, row: LogRow) -> None:
        """Take the numbers of an epoch, and write the steps before it."""
        if self.rows:
            write_training_log(self.path, self.rows)
        self._log("epoch/", row, int(row["epoch"]) * self.steps_per_epoch)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for logger in self.loggers:
            logger.finish()

    def _log(self, prefix: str, values: Mapping[str, float], step: int) -> None:
        for logger in self.loggers:
            logger.log({f"{prefix}{name}": value for name, value in values.items()}, step)


def check_training_loggers(config: TrainConfig) -> None:
    """Refuse wandb before anything is trained, where it could not send what it is told.

    Raises:
        CvrError: it is not installed, or has no key and is not told to stay offline.
    """
    if "wandb" not in config.logger_names:
        return
    try:
        import wandb
    except ImportError as error:
        raise CvrError(f"-t loggers=wandb needs a package: pip install 'cvr[loggers]' ({error})") from None
    with redirect_stderr(io.StringIO()):  # where wandb remarks on being asked
        has_key = bool(wandb.api.api_key)
    if os.environ.get("WANDB_MODE", "online") == "online" and not has_key:
        raise CvrError("-t loggers=wandb: no key; set WANDB_API_KEY, run `wandb login`, or set WANDB_MODE=offline.")


def _open_loggers(folder: Path, config: TrainConfig) -> list["GeneralTracker"]:
    """The loggers that are wanted: accelerate's, into the folder of the training.

    Raises:
        CvrError: one is not installed.
    """
    from accelerate.tracking import TensorBoardTracker, WandBTracker

    from cvr_data.core.registry import config_dict

    found: list[GeneralTracker] = []
    for name in config.logger_names:
        if name == "tensorboard":
            found.append(TensorBoardTracker("tensorboard", folder))
        else:  # a run is called as the folder of the result is
            found.append(WandBTracker("cvr", name=folder.parent.name, dir=folder, config=config_dict(config)))
        try:
            found[-1].start()
        except ImportError as error:
            raise CvrError(f"-t loggers={name} needs a package: pip install 'cvr[loggers]' ({error})") from None
    return found


def _rows_before(path: Path, done: int) -> list[LogRow]:
    if not path.exists():
        return []
    with reading(path, "a log of steps; remove it"), path.open(encoding="utf-8", newline="") as file:
        rows = [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]
    return [row for row in rows if row["step"] <= done]
