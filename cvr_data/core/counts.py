"""Hands out the jobs of a run and adds up what they say: rows in, kept and dropped of each step, and the files."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from cvr_data.core.jobs import map_jobs
from cvr_data.core.progress import Progress, watched
from cvr_data.core.stage_jobs import Done
from cvr_data.core.stages import Step, StepCount


class Counts:
    """What the jobs of a run said so far."""

    def __init__(self) -> None:
        self.counted: list[tuple[Step, StepCount]] = []
        self.files: dict[str, str] = {}
        """Path from the artifact -> its sha256."""
        self.told: Counter[str] = Counter()
        """What steps counted beside their rows, over all parts."""
        self.told_now: Counter[str] = Counter()
        """The same, over the parts that an earlier run had not finished."""

    def done(
        self, function: Callable[..., Done], jobs: Sequence[tuple], shared: tuple, name: str,
        counting: tuple[int | None, str] = (None, ""), *, on_gpu: bool = False,
    ) -> list[Done]:  # fmt: skip
        """Run jobs and return what they say, in their order; progress counts parts, or rows where their total is given.

        Args:
            function: what a job calls, with what is shared and what is its own.
            jobs: what is each job's own.
            shared: by all.
            name: of the progress line.
            counting: (how many rows there will be, what to call them).
            on_gpu: workers of a Ray that has GPUs share them.
        """
        total, unit = counting
        done: list[Done] = [Done((), 0)] * len(jobs)
        count = Progress(name, len(jobs), "parts") if total is None else Progress(name, total, unit)
        units = 0
        with count, watched(None if total is None else count):
            for index, result in map_jobs(function, jobs, shared=shared, on_gpu=on_gpu):
                done[index] = result
                self.files |= {file: digest for file, (_, digest) in result.files.items()}
                units += 1 if total is None else result.rows
                (count.skip if result.is_kept else count.advance)(units - count.done)
        return done

    def add(self, steps: Iterable[Step], done: Sequence[Done]) -> None:
        """Add what the jobs of a pass say of its steps, those left out that are not counted."""
        for number, step in enumerate(steps):
            total = StepCount()
            for each in done:
                total.add(each.counts[number])
                self.told.update(each.counts[number].told)
                self.told_now.update({} if each.is_kept else each.counts[number].told)
            self.counted.append((step, total))

    def dropped(self) -> Counter[str]:
        """Return how many rows were dropped so far for each reason."""
        return sum((count.dropped for _, count in self.counted), Counter[str]())

    def funnel(self) -> list[dict[str, Any]]:
        """Return the counts of every step so far, as manifests have them.

        Raises:
            RuntimeError: rows of a step were neither kept nor dropped.
        """
        for step, count in self.counted:
            if count.rows_in != count.rows_out + count.dropped.total():
                raise RuntimeError(
                    f"The step {step.name!r} got {count.rows_in} rows, kept {count.rows_out} and dropped "
                    f"{count.dropped.total()}."
                )
        return [
            {
                "step": step.name, "in": None if step.makes_rows else count.rows_in, "out": count.rows_out,
                "dropped": dict(sorted(count.dropped.items())),
            }
            for step, count in self.counted
        ]  # fmt: skip
