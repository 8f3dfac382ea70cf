"""A small language model trained on human-chosen texts, against the un-tuned one and the rules, on videos it never saw.

    python speed/trained_generator.py --data ../shared/data --work trained-generator

Two kinds of data, split by video: the synthetic world, whose truth texts are the examples, and the modifications that
people chose for WebVid-CoVR (an evaluation; nothing of it is kept in the project). Every system answers once per pair.
The columns: cosine of MiniLM to the human text; share that passes the lint; cosine of "reference caption, text" to the
target's caption; gain of the cycle check, which rewrites the caption by rule and so suits texts by rule; share of
distinct word pairs in 100 texts. In brackets 95 % intervals, clustered by target.
"""

import argparse
import csv
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import cli
from cvr_bench.scoring.intervals import Clusters, recall_difference_interval
from cvr_data.core.artifacts import open_artifact
from cvr_data.features.encoders import ENCODERS
from cvr_data.language.words import words_of
from cvr_data.modifications.checking.cycle import modification_cycle_scores
from cvr_data.modifications.generator import Config as GeneratorConfig
from cvr_data.modifications.generator import Generator, draft_lint_reasons
from cvr_data.modifications.prompts import load_prompt
from cvr_data.modifications.training.examples import read_examples
from cvr_data.modifications.training.train import Config, train_generator
from cvr_data.videos.synthetic.truth import read_synthetic_truth
from tests.truth_measures import text_is_correct

CSV = Path("webvid_covr/webvid8m-covr_test.half.csv")
SYSTEMS = {"rules": ("short", "rules"), "un-tuned, 8 examples": ("short", ""), "un-tuned, no example": ("trained", "")}
TRAINED = "trained"
DISTINCT_OF = 100


@dataclass(frozen=True)
class Part:
    """Pairs with the text a person chose for each (or the truth says)."""

    pairs: pa.Table
    texts: list[str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="Folder of real annotation files.")
    parser.add_argument("--work", type=Path, default=Path("trained-generator"), help="Scratch folder, emptied.")
    parser.add_argument("--train", type=int, default=700, help="Examples to train on, at most.")
    parser.add_argument("--test", type=int, default=250, help="Pairs to score, at most.")
    parser.add_argument("--only", choices=["synthetic", "webvid-covr"], help="One of the two kinds of data.")
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    shutil.rmtree(options.work, ignore_errors=True)
    options.work.mkdir(parents=True)
    kinds: dict[str, Callable[[Path, Path], tuple[Part, Part]]] = {"synthetic": synthetic, "webvid-covr": webvid}
    for name, read in kinds.items():
        if options.only not in (None, name):
            continue
        folder = options.work / name
        folder.mkdir()
        if name == "webvid-covr" and not (options.data / CSV).exists():
            print(f"{name}: skipped, there is no {options.data / CSV}")
            continue
        train, test = map(sample, read(folder, options.data), (options.train, options.test))
        compare(name, folder, train, test, options.epochs)


def compare(name: str, folder: Path, train: Part, test: Part, epochs: int) -> None:
    started = time.perf_counter()
    write_examples(folder / "examples.jsonl", train)
    generator = train_generator([folder / "examples.jsonl"], folder / "generator", Config(epochs=epochs))
    manifest = generator.manifest
    print(f"\n{name}: {manifest['trained_on']['training']} examples, {manifest['trained_on']['choice']} to choose by")
    for row in manifest["history"]:
        print(f"  epoch {row['epoch']}: loss {row['loss']:.3f}, held-out {row['held_out_loss']:.3f}")
    print(f"  trained in {manifest['seconds']:.0f} s, epoch {manifest['best_epoch']} kept", flush=True)
    texts = {"human" if name != "synthetic" else "truth": test.texts}
    for system, (prompt, backend) in {**SYSTEMS, TRAINED: ("trained", "")}.items():
        model = (f"model={generator.path}",) if system == TRAINED else ()
        texts[system] = write(test.pairs, prompt, backend or "transformers", model)
    (folder / "texts.json").write_text(json.dumps(texts, indent=1), encoding="utf-8")
    show(test, texts, world=folder / "videos" if name == "synthetic" else None)
    for row in range(0, test.pairs.num_rows, max(1, test.pairs.num_rows // 10)):
        pair = test.pairs.slice(row, 1).to_pylist()[0]
        print(f"  {pair['reference_caption']} -> {pair['target_caption']}")
        for system, written in texts.items():
            print(f"      {system:<22}{written[row]}")
    print(f"  {time.perf_counter() - started:.0f} s in all", flush=True)


def write(pairs: pa.Table, prompt: str, backend: str, options: Sequence[str]) -> list[str]:
    config = GeneratorConfig(prompt=prompt, backend=backend, options=tuple(options), attempts=1)
    table = Generator(config).texts_for(pairs)
    return [text or "" for text in table.column("modification").to_pylist()]


def show(test: Part, texts: dict[str, list[str]], world: Path | None) -> None:
    measured = {system: measure(test, written) for system, written in texts.items()}
    targets = test.pairs.column("target_id").to_pylist()
    clusters = Clusters.of([[name] for name in targets], [None] * len(targets))
    columns = [*next(iter(measured.values()))]
    correct = is_correct(test.pairs, world) if world is not None else None
    print(
        f"  {'':<22}"
        + "".join(f"{column:>25}" for column in [*columns, "distinct-2"])
        + ("    correct" if correct else "")
    )
    for system, values in measured.items():
        cells = [cell(values[column], clusters) for column in columns] + [distinct(texts[system])]
        share = f"{np.mean([*map(correct, range(len(texts[system])), texts[system])]):11.3f}" if correct else ""
        print(f"  {system:<22}" + "".join(f"{value:>25}" for value in cells) + share)
    print("  trained minus:")
    for system in SYSTEMS:
        pairs = [(measured[TRAINED][column], measured[system][column]) for column in columns]
        found = [recall_difference_interval(mine, theirs, clusters) for mine, theirs in pairs]
        cells = [f"{one.value:+.3f} [{one.low:+.3f}, {one.high:+.3f}]" for one in found]
        print(f"  {system:<22}" + "".join(f"{value:>25}" for value in cells), flush=True)


def measure(test: Part, written: list[str]) -> dict[str, np.ndarray]:
    captions = [test.pairs.column(f"{side}_caption").to_pylist() for side in ("reference", "target")]
    columns = {"modification": pa.array(written), "style": pa.array(["short"] * len(written))}
    kept = test.pairs.select(["reference_caption", "target_caption", "changes"])
    reasons = draft_lint_reasons(
        pa.table({**columns, **dict(zip(kept.column_names, kept.columns, strict=True))}), load_prompt("short").lint
    )
    return {
        "to the human text": cosines(written, test.texts),
        "lint passed": np.array([float(not reason) for reason in reasons]),
        "caption and text": cosines(
            [f"{caption}, {text}" for caption, text in zip(captions[0], written, strict=True)], captions[1]
        ),
        "cycle gain": modification_cycle_scores(captions[0], written, captions[1]).column("cycle_gain").to_numpy(),
    }


def cosines(texts: Sequence[str], others: Sequence[str]) -> np.ndarray:
    """A row without a text has a cosine of 0."""
    encoder = ENCODERS.get("minilm").load(ENCODERS.config("minilm"))
    vectors = [
        encoder.encode_texts([text or "." for text in side]).pooled_BD.float().numpy() for side in (texts, others)
    ]
    units = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in vectors]
    return (units[0] * units[1]).sum(axis=1) * np.array([bool(text) for text in texts])


def cell(values: np.ndarray, clusters: Clusters) -> str:
    one = recall_difference_interval(values, np.zeros_like(values), clusters)
    return f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]"


def distinct(texts: list[str]) -> str:
    """Distinct word pairs over word pairs, in random samples of 100 texts: the share falls with more texts."""
    generator = np.random.default_rng(0)
    shares = []
    for _ in range(200):
        chosen = generator.choice(len(texts), min(DISTINCT_OF, len(texts)), replace=False)
        words = [words_of(texts[row]) for row in chosen]
        pairs = [pair for said in words for pair in pairwise(said)]
        shares.append(len(set(pairs)) / max(len(pairs), 1))
    low, high = np.quantile(shares, [0.025, 0.975])
    return f"{np.mean(shares):.3f} [{low:.3f}, {high:.3f}]"


def is_correct(pairs: pa.Table, world: Path) -> Callable[[int, str], bool]:
    truth = read_synthetic_truth(world)
    ids = pairs.select(["reference_id", "target_id"]).to_pylist()
    return lambda row, text: text_is_correct(
        text, truth.concept(ids[row]["reference_id"]), truth.concept(ids[row]["target_id"])
    )


def synthetic(folder: Path, data: Path) -> tuple[Part, Part]:
    """Half of the sentence patterns are the test's own, so a trained text cannot repeat the wording of the truth."""
    cvr("import", "synthetic", "-O", folder / "videos", "-o", "render=false", "-o", "train=600", "-o", "val=0")
    cvr("mine-pairs", folder / "videos", "-O", folder / "pairs")
    cvr("truth-modifications", folder / "pairs", "-O", folder / "truth")
    found = [read_examples(folder / "truth", (split,)) for split in ("train", "test")]
    pairs = open_artifact(folder / "pairs").read()
    return tuple(_part(pairs, {one.pair["pair_id"]: one.modification for one in examples}) for examples in found)  # type: ignore[return-value]


def webvid(folder: Path, data: Path) -> tuple[Part, Part]:
    """A fifth of the videos, with all that are joined to them by a pair, is the test."""
    with (data / CSV).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    caption_of: dict[str, str] = {}
    for row in rows:
        for video, caption in (("pth1", "txt1"), ("pth2", "txt2")):
            caption_of.setdefault(row[video], row[caption])
    with (folder / "videos.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("video_id", "caption"), *caption_of.items()])
    cvr("import", "table", folder / "videos.csv", "-O", folder / "videos")
    columns = {"reference_id": "pth1", "target_id": "pth2", "reference_caption": "txt1", "target_caption": "txt2"}
    given = [part for name, column in columns.items() for part in ("-o", f"{name}={column}")]
    cvr(
        "mine-pairs",
        folder / "videos",
        "--strategy",
        "given",
        "-o",
        f"path={data / CSV}",
        *given,
        "--filter",
        "none",
        "-O",
        folder / "pairs",
    )
    pairs = open_artifact(folder / "pairs").read()
    text_of = {(row["pth1"], row["pth2"]): " ".join(row["edit"].split()) for row in rows}
    component = components(list(text_of))
    sides: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for pair in pairs.select(["pair_id", "reference_id", "target_id"]).to_pylist():
        key = (pair["reference_id"], pair["target_id"])
        is_test = int(hashlib.sha256(component[key[0]].encode()).hexdigest(), 16) % 5 == 0
        sides[is_test][pair["pair_id"]] = text_of[key]
    return _part(pairs, sides[0]), _part(pairs, sides[1])


def components(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Video -> the first of all videos that pairs join it to."""
    parent: dict[str, str] = {}

    def root(video: str) -> str:
        while parent.setdefault(video, video) != video:
            video = parent[video]
        return video

    for one, other in pairs:
        first, last = sorted((root(one), root(other)))
        parent[last] = first
    return {video: root(video) for video in parent}


def sample(part: Part, most: int) -> Part:
    order = np.argsort(part.pairs.column("pair_id").to_numpy(zero_copy_only=False))[:most]
    return Part(part.pairs.take(pa.array(order)), [part.texts[row] for row in order])


def write_examples(path: Path, part: Part) -> None:
    names = ["reference_id", "target_id", "reference_caption", "target_caption"]
    rows = part.pairs.select(names).to_pylist()
    lines = [json.dumps({**row, "modification": text}) for row, text in zip(rows, part.texts, strict=True)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def cvr(*arguments: str | Path) -> None:
    if cli.run([str(argument) for argument in arguments]):
        raise SystemExit(f"cvr {arguments[0]} failed")


def _part(pairs: pa.Table, text_of: dict[str, str]) -> Part:
    chosen = pairs.filter(pc.is_in(pairs.column("pair_id"), pa.array(list(text_of), pa.string())))
    return Part(chosen, [text_of[pair_id] for pair_id in chosen.column("pair_id").to_pylist()])


if __name__ == "__main__":
    main()
