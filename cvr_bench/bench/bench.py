"""Bench one model on one data set: load it, train it if it trains, score it, write the result.

A result that already stands there, made in the very same way, is read instead of being made again.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from cvr_bench.audit.altered import AlteredFeatures
from cvr_bench.audit.data_leaks import LEAKS_FILE, data_leaks
from cvr_bench.audit.generators import audit_generator_leaks
from cvr_bench.audit.leak import Config as LeakConfig
from cvr_bench.audit.record import Config as AuditConfig
from cvr_bench.audit.record import audit_of, audit_result
from cvr_bench.audit.robustness import FOLDER as ROBUSTNESS
from cvr_bench.audit.robustness import audit_text_robustness
from cvr_bench.bench.bench_run import BenchModel, BenchRun, bench_model
from cvr_bench.data.opened import Sources
from cvr_bench.data.reads import data_feature_sizes
from cvr_bench.models.parts.lineage import model_lineage_record, write_model_lineage
from cvr_bench.models.parts.processes import first_model_process_value, is_first_model_process
from cvr_bench.models.parts.retriever import Retriever, is_trainable_retriever, module_of_retriever
from cvr_bench.models.parts.trained import load_model_checkpoint
from cvr_bench.models.parts.weights import TRAINING
from cvr_bench.results.method import result_folder_of_seed
from cvr_bench.results.result import STAGE, Result, read_result, write_result
from cvr_bench.results.score_matrix import SCORES, save_result_scores
from cvr_bench.scoring.blocks import scores_are_exact
from cvr_bench.scoring.caption_sets import retriever_scoring_caption_sets
from cvr_bench.scoring.cost import Clock, cost_of_scoring, forget_scoring_peak_memory, scoring_timed_retriever
from cvr_bench.scoring.spread import evaluate_spread
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.command_line import running_command
from cvr_data.core.errors import CvrError
from cvr_data.core.registry import config_dict
from cvr_data.core.versions import installed_versions
from cvr_data.core.whole_files import file_sha256, parquet_bytes

VERSION = 2
ENCODED_AHEAD = 50_000
"""Texts encoded before a training starts; the encoder would not remember more."""
TEXTS = 1024
"""Of those at once."""


def bench_all(
    runs: Sequence[BenchRun], sources: Sources, out: Path, data_name: str, *, seeds: int = 1, overwrite: bool = False
) -> list[Result]:
    """Return the results of several models on one data set, each in `out`/<name or model>-<data>.

    With several seeds a model that depends on one is benched with each, in a folder seed-<number> below that. On
    several devices all processes call it; the first one writes and has the results, the others have none.

    Raises:
        CvrError: options, a name or a checkpoint of one model are given to several, or what `bench` raises.
    """
    if len(runs) > 1 and any(run.options or run.checkpoint or run.name for run in runs):
        raise CvrError("-o, --name and --checkpoint belong to one model; give one --model with them.")
    placed = []
    for run in runs:
        folder = out / f"{run.name or run.model.replace('_', '-')}-{data_name}"
        if seeds == 1:
            placed.append((run, folder))
            continue
        own = [dataclasses.replace(run, seed=run.seed + number) for number in range(seeds)]
        placed += [
            (one, result_folder_of_seed(folder, one.seed)) for one in own[: seeds if _has_seed(run, sources) else 1]
        ]
    if not is_first_model_process():
        for run, folder in placed:
            _assist(run, sources, folder)
        return []
    return [bench(run, sources, folder, overwrite=overwrite) for run, folder in placed]


def _has_seed(run: BenchRun, sources: Sources) -> bool:
    """Whether another seed gives another result: of a model that is trained, or that draws something."""
    if run.checkpoint is not None:
        raise CvrError("--checkpoint scores one training, so --seeds has no meaning beside it.")
    made = bench_model(run, sources, sources.encoder)
    return made.train_config is not None or "seed" in config_dict(made.config)


def bench(run: BenchRun, sources: Sources, out: Path, *, overwrite: bool = False) -> Result:
    """Return the result of a run, written to `out`.

    Raises:
        CvrError: the data lacks what the model needs, or `out` holds another result.
    """
    features, clock = AlteredFeatures(sources.encoder), Clock()
    forget_scoring_peak_memory()
    with clock.phase("load"):
        made = bench_model(run, sources, features)
    writer = ArtifactWriter(
        out, stage=STAGE, version=VERSION, config=made.identity(), inputs=made.inputs(), overwrite=overwrite
    )
    if run.save_scores and writer.finished() is not None and not (out / SCORES).exists():
        raise CvrError(f"{out} was made without --save-scores; make it again with --overwrite.")
    is_new = first_model_process_value(writer.finished() is None)
    if is_new:
        with clock.phase("load"):
            sources.task(run.split)
        _score(made, writer, clock)
    result = read_result(out)
    if (
        run.audit and not made.reads_clips and audit_of(result) is None
    ):  # altered features would change nothing for such
        if not is_new and (run.checkpoint is not None or made.train_config is not None):
            load_model_checkpoint(made.retriever, run.checkpoint or out, sources.encoder)
        audit_result(AuditConfig(seed=run.seed), result, made.retriever, features, sources.task(run.split))
    if run.robustness:
        if not is_new and not (out / ROBUSTNESS).exists() and (run.checkpoint or made.train_config is not None):
            load_model_checkpoint(made.retriever, run.checkpoint or out, sources.encoder)
        audit_text_robustness(
            result, made.retriever, sources.task(run.split), _own_triplets(sources), overwrite=overwrite
        )
    return result


def _own_triplets(sources: Sources) -> pa.Table:
    if sources.benchmark is not None:
        raise CvrError(f"{sources.data}: --robustness needs triplets of ours, which say what changes.")
    return sources.triplets


def _assist(run: BenchRun, sources: Sources, out: Path) -> None:
    """Train and score together with the first process, which does what `bench` does; write nothing."""
    made = bench_model(run, sources, sources.encoder)
    if first_model_process_value(None):
        _train(made, Path(first_model_process_value(str(out))))
        evaluate_spread(made.retriever, sources.task(run.split))


def _score(made: BenchModel, writer: ArtifactWriter, clock: Clock) -> None:
    """Train and score a model, and write its result."""
    run, sources, retriever = made.run, made.sources, made.retriever
    task = sources.task(run.split)
    seen = audit_generator_leaks(made.inputs().values(), task, allowed=run.allow_trained_generator)
    with writer:
        with clock.phase("train"):
            training = _train(made, Path(first_model_process_value(str(writer.path))))
        leaks = _leaks(made, writer)
        if training is not None:
            training["leaks"] = leaks
        measured = scoring_timed_retriever(retriever, clock)
        with clock.phase("score"):
            ranks = evaluate_spread(measured, task)
        cost = cost_of_scoring(measured, clock.seconds, training)
        if run.save_scores:
            save_result_scores(writer, retriever, task, sources.query_bank(), sources.encoder)
        saved = {"scores_sha256": file_sha256(writer.path / SCORES)} if run.save_scores else {}
        about = {**made.identity(), **_about(run, sources, retriever), "training": training}
        about |= {**saved, **({"name": run.name} if run.name else {})}
        about |= {"seconds": cost["seconds"], "cost": cost, **({"generators": seen} if seen else {})}
        if not made.reads_clips:
            about |= {"reads": data_feature_sizes(sources.store, sources.encoder, task)}
        about["scores_exact"] = scores_are_exact(retriever_scoring_caption_sets(retriever, task.gallery))
        about |= {"leaks": leaks, "lineage": model_lineage_record(sources.store.shared(), made.weights(), task)}
        write_result(writer, made.as_scored(task), ranks, run.seed, about)


def _leaks(made: BenchModel, writer: ArtifactWriter) -> dict[str, Any] | None:
    """What is scored beside what was learned from, for a model that learned; None where that is not known."""
    if not is_trainable_retriever(made.retriever):
        return None
    found = data_leaks(LeakConfig(), made.sources, made.run.split, made.training)
    if found is None:
        return None
    writer.write_file(LEAKS_FILE, parquet_bytes(found.table))
    return found.summary


def _about(run: BenchRun, sources: Sources, retriever: Retriever) -> dict[str, Any]:
    module = module_of_retriever(retriever)
    return {
        "parameters": sum(parameter.numel() for parameter in module.parameters()) if module is not None else 0,
        "data": {"path": str(sources.data), "embeddings": str(sources.embeddings), "split": run.split},
        "checkpoint": str(run.checkpoint) if run.checkpoint else None,
        "features": {**sources.store.artifact.manifest["config"], "dim": sources.encoder.dim},
        "command": running_command(),
        "versions": installed_versions(),
    }


def _train(made: BenchModel, out: Path) -> dict[str, Any] | None:
    """Train the model; say how it was trained."""
    if made.train_config is None:
        return None
    from cvr_bench.training.train import train  # accelerate takes seconds to import

    sources, config = made.sources, made.train_config
    data = sources.own_training if made.training is None else made.training.load(sources.store)
    if len(data.training_set) < 2:
        raise CvrError(f"{sources.data}: one triplet to train on, which has nothing to be told apart from; give more.")
    # in large batches on all cores, where training would ask for a few texts at a time
    texts = list(dict.fromkeys(data.training_set.modifications))[:ENCODED_AHEAD]
    for start in range(0, len(texts), TEXTS):
        sources.encoder.encode_texts(texts[start : start + TEXTS])
    if is_first_model_process():
        space = None if made.reads_clips else sources.store.shared().space()
        starts = made.weights().values()
        write_model_lineage(out / TRAINING, space, data.training_set, data.validation_task, starts)
    report = train(
        made.retriever, data.training_set, data.validation_task, config, sources.encoder, out, made_by=made.made_by()
    )
    return {"options": config_dict(config), "triplets": len(data.training_set), **dataclasses.asdict(report)}
