"""Runs the steps of a stage over parts of any number: here, in processes, or on Ray, and after any interruption.

    with StageRun(out, stage="one-each", version=1, config={}, inputs={"videos": videos}, overwrite=False) as run:
        flow = run.read(videos, ["video_id", "captions"])
        flow = flow.then(Step(...)).then(KeyedStep(...)).then(Step(...))
        artifact = run.write(flow, VIDEOS, sort_by=("video_id",))

Steps wait until their rows have to meet others: then one pass runs all that wait on each part and deals what comes out
into buckets, which are the parts of the next pass. So steps that look at each part alone are one pass, and a stage has
as many passes as its keys ask for. What the passes leave for each other lies in `out/.work` and goes when the run ends;
an interrupted run keeps what is finished there (`core.stage_jobs`). The number of buckets follows from the number
of values, never from the workers. The process that calls this hands out jobs and adds up counts; it holds no table.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa

from cvr_data.core.artifact_writer import WORK, ArtifactWriter, Written
from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.counts import Counts
from cvr_data.core.errors import CvrError
from cvr_data.core.jobs import current_engine
from cvr_data.core.parts import (
    Bucket,
    Part,
    artifact_bucket_count,
    artifact_parts_of,
    chosen_columns,
    cut_artifact_rows,
)
from cvr_data.core.places import address_scheme, make_folder, path_or_address, remove_folder
from cvr_data.core.stage_jobs import (
    Done,
    Maker,
    Pass,
    forget_job_sides,
    make_job,
    run_job,
    settle_job,
    write_job_tables,
)
from cvr_data.core.stages import ClaimStep, KeyedStep, Side, Step, all_together

BUCKET_VALUES = 500_000
"""Rows of a bucket, on average."""
CLAIMS = 4_000_000
"""Claims of a bucket, on average: they are a few numbers each."""


@dataclass(frozen=True)
class Flow:
    """Rows on their way through the steps: parts as they lie on disk, and the steps that wait for the next pass."""

    run: "StageRun"
    parts: tuple[Part, ...]
    values: int
    """Rows of the parts, or items of their lists where these are more."""
    columns: tuple[str, ...] | None = None
    """What is read of an artifact."""
    steps: tuple[Step, ...] = ()
    rows: int | None = None
    """Rows of the parts, where an earlier pass counted them."""

    def then(self, *steps: Step) -> "Flow":
        """Return the flow with more steps; a pass is run before one whose rows have to meet."""
        flow = self
        for step in steps:
            if isinstance(step, ClaimStep):
                flow = self.run.claimed(flow, step)
            elif isinstance(step, KeyedStep):
                flow = self.run.meet([flow], step)
            else:
                flow = replace(flow, steps=(*flow.steps, step))
        return flow


class StageRun(AbstractContextManager["StageRun"]):
    """One run of a stage that writes an artifact; leaving the block early keeps what is finished for the next run.

    Raises:
        CvrError: the folder holds something else, another process writes it, or the disk is full.
    """

    def __init__(self, out: Path, *, stage: str, version: int, config: Any, inputs: Any, overwrite: bool):
        self.writer = ArtifactWriter(
            out, stage=stage, version=version, config=config, inputs=inputs, overwrite=overwrite
        )
        self.stage = stage
        self.out = path_or_address(out).resolve()
        self.passes = 0
        self.dropping = 0
        self.written = 0
        self.counts = Counts()
        self.told, self.told_now = self.counts.told, self.counts.told_now

    def finished(self) -> Artifact | None:
        """Return the artifact if this very one already stands there, whole."""
        return self.writer.finished()

    def __enter__(self) -> "StageRun":
        if address_scheme(self.out) == "memory" and not current_engine().is_here:
            raise CvrError(f"{self.out} is in the memory of this process, which workers do not share.")
        self.writer.__enter__()
        self.out = self.writer.path.resolve()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        forget_job_sides()
        self.writer.__exit__(kind, error, trace)

    def read(
        self, folder: Path, columns: Sequence[str] | None = None, required: Sequence[str] = (),
        part_values: int | None = None, part_rows: int | None = None,
    ) -> Flow:  # fmt: skip
        """Return the rows of an artifact, with those of the columns that it has.

        Where a row takes long, smaller parts (`part_values`, of one row group at least) lose less when it is killed;
        `part_rows` is how many rows each part has, whatever the artifact is cut into.

        Raises:
            CvrError: there is no such artifact, a part cannot be read, or a required column is missing.
        """
        paths = [path.resolve() for path in open_artifact(folder).part_paths]
        if not paths:
            raise CvrError(f"{folder} holds no rows.")
        return self.read_files(paths, columns, required, part_values, part_rows, where=folder)

    def read_files(
        self, paths: Sequence[Path], columns: Sequence[str] | None = None, required: Sequence[str] = (),
        part_values: int | None = None, part_rows: int | None = None, *, where: Path,
    ) -> Flow:  # fmt: skip
        """Return the rows of Parquet files of one schema, with those of the columns that they have.

        Raises:
            CvrError: a file cannot be read, or a required column is missing.
        """
        wanted = chosen_columns(paths[0], columns, required, where)
        found = (
            artifact_parts_of(paths, wanted, part_values) if part_rows is None else cut_artifact_rows(paths, part_rows)
        )
        return Flow(self, found.parts, found.values, wanted)

    def meet(self, flows: Sequence[Flow], step: KeyedStep) -> Flow:
        """Run what waits, deal the rows of all flows by the step's key, and return the buckets, where the step waits.

        A bucket has the rows of the first flow, then those of the second: what they lack of each other is null.
        """
        flows = [self._sized_flow(flow) for flow in flows]
        values = sum(flow.values for flow in flows)
        most = step.bucket_values or BUCKET_VALUES
        buckets = artifact_bucket_count(values, most)
        made = [self._run_pass(flow, step.name, deal_for=step, buckets=buckets) for flow in flows]
        folders = [(each.folder, range(len(flow.parts))) for (each, _), flow in zip(made, flows, strict=True)]
        done = [each for _, dones in made for each in dones]
        parts = []
        for number, sizes in enumerate(zip(*(each.sizes for each in done), strict=True)):
            # Keys that many rows share may fall into one bucket: then jobs share its keys.
            shares = artifact_bucket_count(sum(sizes), most) if sum(sizes) > 2 * most else 1
            for share in range(shares):
                parts.append(Part(tuple(Bucket(*files, number, share, shares) for files in folders)))
        return Flow(self, tuple(parts), values, steps=(step,), rows=sum(each.rows for each in done))

    def claimed(self, flow: Flow, step: ClaimStep, among: Flow | None = None) -> Flow:
        """Run what waits, settle the claims of its rows, and return the rows with what was settled of them.

        Rows of `among` make offers: claims that are settled with those of the flow, and go back nowhere.
        """
        flow = self._sized_flow(flow)
        claims = flow.values * step.per_value + (among.values if among else 0)
        buckets = artifact_bucket_count(claims, step.bucket_values or CLAIMS)
        keeps = any(each.is_counted or isinstance(each, ClaimStep) for each in flow.steps)  # others are done again
        made, claimed = self._run_pass(flow, step.name, deal_for=step, buckets=buckets, keeps_rows=keeps)
        folders = [(made.folder, range(len(flow.parts)))]
        if among is not None:
            offers = replace(step, claims=step.offers or step.claims)
            offered, _ = self._run_pass(among, f"{step.name}-offers", deal_for=offers, buckets=buckets)
            folders.append((offered.folder, range(len(among.parts))))
        settling = replace(made, folder=self._pass_folder(f"{step.name}-settled"), steps=())
        jobs = [(tuple(Bucket(*files, number) for files in folders), number) for number in range(buckets)]
        done = self.counts.done(settle_job, jobs, (settling, step), f"settle {step.name}")
        rows = [
            (Bucket(made.rows_folder(), range(number, number + 1)),) if keeps else part.rows
            for number, part in enumerate(flow.parts)
        ]
        parts = tuple(Part(each, Bucket(settling.folder, range(buckets), number)) for number, each in enumerate(rows))
        values = sum(each.rows for each in done) if step.makes_rows else flow.values
        kept = sum(each.rows for each in claimed)
        if keeps:
            return Flow(self, parts, values, steps=(step,), rows=kept)
        return replace(flow, parts=parts, values=values, steps=(*flow.steps, step))

    def write(
        self, flow: Flow, schema: pa.Schema | None = None, *, sort_by: Sequence[str] = (), **extra: Any
    ) -> Artifact:
        """Write all parts of the artifact (`write_parts`) and its manifest, with `extra`; return the artifact."""
        self.write_parts(flow, schema, sort_by=sort_by)
        return self.finish(**extra)

    def write_parts(
        self,
        flow: Flow,
        schema: pa.Schema | None = None,
        *,
        sort_by: Sequence[str] = (),
        total: int | None = None,
        unit: str = "rows",
    ) -> Flow:
        """Run what waits, write a part of the artifact for each part, and return the rows as they lie there.

        Files of the whole can be written (`writer.write_file`) before `finish`.

        Args:
            flow: the rows.
            schema: what the kept rows must have.
            sort_by: columns that the rows of each part are sorted by.
            total: how many rows there will be; then progress counts rows, and what a job here tells of them.
            unit: of the progress.
        """
        _, done = self._run_pass(flow, self.stage, (total, unit), schema=schema, sort_by=tuple(sort_by))
        self._note_written(done)
        paths = [self.out / f"part-{number:05d}.parquet" for number in range(len(flow.parts))]
        return replace(self.read_files(paths, where=self.out), rows=self.written)

    def finish(self, **extra: Any) -> Artifact:
        """Write the manifest, `extra` entries beside the fixed ones, and return the artifact; the rows are written."""
        written = Written(self.written, dict(sorted(self.counts.dropped().items())), self.counts.files)
        artifact = self.writer.finish(written, **{"funnel": self.counts.funnel(), **extra})
        self.out = self.writer.out.resolve()
        remove_folder(self.out / WORK)
        return artifact

    def made(self, name: str, make: Callable[[], Iterable[pa.Table]]) -> Flow:
        """Return the rows of tables that have to be made one after the other in this process, a part or more for each.

        Such as those of a file that is read from its start to its end. If this is interrupted, it begins anew.
        """
        about = Pass(key=self.writer.key, folder=self._pass_folder(name), out=self.out)
        done = write_job_tables(about, make)
        parts = tuple(Part((Bucket(about.folder, range(number, number + 1)),)) for number in range(len(done.files)))
        return Flow(self, parts, done.rows, rows=done.rows)

    def make_parts(self, name: str, parts: Mapping[int, Part], make: Maker) -> list[int]:
        """Write the parts of the artifact that have these numbers, each as `make` says; return the rows of each.

        For a stage whose parts have arrays and take a network: it counts as one step.
        """
        about = Pass(key=self.writer.key, folder=self._pass_folder(name), out=self.out)
        done = self.counts.done(make_job, list(parts.items()), (about, make), name, on_gpu=True)
        self.counts.add([Step(name=name, run=make)], done)
        self._note_written(done)
        return [each.rows for each in done]

    def rested(self, flow: Flow, *, is_mapped: bool = False) -> Flow:
        """Run what waits and return its rows as they lie on disk, counted; mapped ones are for `core.mapped_rows`."""
        made, done = self._run_pass(flow, "rows", deal_for=all_together("rows"), is_mapped=is_mapped)
        parts = tuple(Part((Bucket(made.folder, range(number, number + 1)),)) for number in range(len(flow.parts)))
        rows = sum(each.rows for each in done)
        return Flow(self, parts, rows, rows=rows)

    def side(self, flow: Flow, load: Callable[[Bucket], Any]) -> Side:
        """Run what waits, none of it counted, and return a side: what `load` makes of the bucket of all rows."""
        found, _ = self._run_pass(flow, load.__name__, deal_for=all_together(load.__name__))
        return Side(load, (Bucket(found.folder, range(len(flow.parts)), 0),))

    def part_paths(self) -> list[Path]:
        """Return the parts of the artifact that are written, in order."""
        return sorted(self.out.glob("part-*.parquet"))

    def _sized_flow(self, flow: Flow) -> Flow:
        """Return the flow with its rows counted, where steps that wait make another number of them."""
        makes = any(step.makes_rows and not isinstance(step, ClaimStep) for step in flow.steps)
        return self.rested(flow) if makes else flow

    def _run_pass(
        self, flow: Flow, name: str, counting: tuple[int | None, str] = (None, ""), **about: Any
    ) -> tuple[Pass, list[Done]]:
        """Run the steps that wait on every part."""
        made = Pass(
            key=self.writer.key, folder=self._pass_folder(name), out=self.out, columns=flow.columns, steps=flow.steps,
            first_counted=len(self.counts.counted), first_dropped=self.dropping, **about,
        )  # fmt: skip
        on_gpu = any(step.on_gpu for step in flow.steps)
        done = self.counts.done(run_job, list(enumerate(flow.parts)), (made,), name, counting, on_gpu=on_gpu)
        given = sum(each.given for each in done)
        if flow.rows is not None and given != flow.rows:
            raise RuntimeError(f"{flow.rows} rows were dealt for the step {name!r}, which was given {given}.")
        steps = [step for step in flow.steps if step.is_counted]
        self.dropping += len(flow.parts) if steps else 0
        self.counts.add(steps, done)
        return made, done

    def _pass_folder(self, name: str) -> Path:
        self.passes += 1
        folder = self.out / WORK / f"{self.passes:02d}-{name}"
        make_folder(folder)
        return folder

    def _note_written(self, done: Sequence[Done]) -> None:
        """Count the rows of the parts, and remove those that a run cut another way left behind."""
        self.written = sum(each.rows for each in done)
        for path in self.out.iterdir():
            is_part = path.suffix == ".parquet" and path.name.startswith(("part-", "dropped-"))
            if is_part and path.name not in self.counts.files and path.name not in self.writer.foreign:
                path.unlink()
