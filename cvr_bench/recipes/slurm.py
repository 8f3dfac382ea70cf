"""A recipe as a job for Slurm: `cvr run NAME --sbatch > job.sbatch && sbatch job.sbatch`.

Every step resumes what it finds finished, so a job that ran out of time is put back into the queue and goes on.
"""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from cvr_data.core.errors import CvrError, did_you_mean

ASKS = {"gpus": 0, "cpus": 4, "memory_gb": 16, "hours": 24}
"""What a job asks for, with what it gets where the recipe does not say."""


def recipe_slurm_options(given: Any, where: str) -> dict[str, int]:
    """Return what a recipe asks for. Raises CvrError: an unknown key, or a number that cannot be."""
    if not isinstance(given, dict):
        raise CvrError(f"{where}: slurm should have {', '.join(ASKS)}, got {given!r}.")
    for key, value in given.items():
        if key not in ASKS:
            raise CvrError(f"{where}: slurm has an unknown key {key!r}. {did_you_mean(str(key), ASKS)}")
        least = min(1, ASKS[key])  # a job may go without a GPU alone
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise CvrError(f"{where}: slurm: {key} should be a whole number from {least} on, got {value!r}.")
    return {str(key): int(value) for key, value in given.items()}


def recipe_batch_script(name: str, words: Sequence[str], asks: Mapping[str, int], about: Mapping[str, str]) -> str:
    """Return a batch file that runs a command, without `cvr`, with what the recipe says of itself above it."""
    chosen = {**ASKS, **asks}
    lines = [
        "#!/bin/bash",
        f"#SBATCH --job-name={name}",
        *([f"#SBATCH --gres=gpu:{chosen['gpus']}"] if chosen["gpus"] else []),
        "#SBATCH --nodes=1",
        f"#SBATCH --cpus-per-task={chosen['cpus']}",
        f"#SBATCH --mem={chosen['memory_gb']}G",
        f"#SBATCH --time={chosen['hours']}:00:00",
        "#SBATCH --signal=B:INT@120",
        "#SBATCH --requeue",
        "#SBATCH --open-mode=append",
        "#SBATCH --output=%x-%j.log",
        *(f"# {key}: {text}" for key, text in about.items() if key in ("needs", "machine")),
        "# Slurm interrupts it two minutes before its time ends; it then asks for more, and goes on where it was.",
        "set -um",  # without job control a command in the background ignores interrupts
        'trap \'kill -INT "$child"; wait "$child"; scontrol requeue "$SLURM_JOB_ID"; exit 0\' INT',
        f"{shlex.join(['cvr', *words])} &",
        "child=$!",
        'wait "$child"',
    ]
    return "\n".join(lines) + "\n"
