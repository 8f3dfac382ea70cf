"""Random pairs of the strategy `concept` on real captions, to be read one by one; and what readers said of them.

    python speed/concept_readings.py draw OUT            # mines three corpora, tells yields, writes what is to be read
    python speed/concept_readings.py tell                # shares and agreement of speed/results/concept_readings.jsonl

The corpora: 3,000 videos of MSR-VTT with one caption each; 600 captions of every other source, a video each; 1,200
videos of MSR-VTT with all their captions. Default filters, no features. A reading is 2 (a viewer of the reference could
sensibly ask for exactly this, and would see it in the target), 1 (weak) or 0 (nothing visible, unrelated, nonsense), as
../shared/gold/README.md has it. SEED was fixed before anything of it was looked at; the rules were made on others.
The second reading is the first reader's, later and in one shuffled order; the third is by a fresh reader
who saw neither, of the draw from the code as it was an hour later: it has 44 pairs of the first draw.
"""

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from measuring import CAPTIONS
from real_captions import Share

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.pairs.mine_pairs import DEFAULT_FILTERS, mine_pairs, parse_mining_filter, strategy_of
from cvr_data.tables import VIDEOS

SEED = 18
READ = 100
"""Pairs of each corpus that are read."""
MSRVTT = "msrvtt_trainval"
SINGLE, EACH, MULTI = 3000, 600, 1200
READERS = ("reading_1", "reading_2", "reading_3")
RESULTS = Path(__file__).parent / "results" / "concept_readings.jsonl"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    drawing = commands.add_parser("draw")
    drawing.add_argument("out", type=Path)
    drawing.add_argument("--data", type=Path, default=Path("../shared/data"), help="Folder of real annotation files.")
    drawing.add_argument("--seed", type=int, default=SEED, help="Another one to make rules on.")
    telling = commands.add_parser("tell")
    telling.add_argument("file", type=Path, nargs="?", default=RESULTS)
    options = parser.parse_args()
    if options.command == "tell":
        tell([json.loads(line) for line in options.file.read_text(encoding="utf-8").splitlines()])
    else:
        draw(options.out, options.data, options.seed)


def draw(out: Path, data: Path, seed: int) -> None:
    """Mine the corpora, print their yields, and write READ random pairs of each."""
    for name, videos in corpora(data, seed).items():
        folder = out / name
        with ArtifactWriter(folder / "videos", stage="import-readings", overwrite=True) as writer:
            writer.write_part(0, videos)
            writer.finish()
        filters = [parse_mining_filter(each) for each in DEFAULT_FILTERS]
        pairs = mine_pairs(
            folder / "videos", None, strategy_of("concept", []), filters, folder / "pairs", overwrite=True
        )
        table = open_artifact(folder / "pairs").read().sort_by([("pair_id", "ascending")])
        in_pairs = len(pc.unique(table.column("reference_id")))
        print(
            f"{name}: {videos.num_rows} videos, {table.num_rows} pairs "
            f"({table.num_rows / videos.num_rows:.2f} a video; {in_pairs} videos are references)"
        )
        slots = Counter(change["slot"] for changes in table.column("changes").to_pylist() for change in changes)
        print(f"  {dict(slots.most_common())}; {dict(pairs.manifest['dropped'])}")
        chosen = np.random.default_rng(seed).permutation(table.num_rows)[:READ]
        with (out / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            for row in table.take(pa.array(chosen)).to_pylist():
                changes = [f"{change['before']} -> {change['after']} ({change['slot']})" for change in row["changes"]]
                said = {key: row[key] for key in ("pair_id", "reference_caption", "target_caption")}
                file.write(json.dumps({"corpus": name, **said, "changes": changes}) + "\n")


def corpora(data: Path, seed: int) -> dict[str, pa.Table]:
    """Return the three corpora of a seed."""
    table = pq.read_table(data / CAPTIONS).to_pandas().sort_values(["source", "videoid", "name"])
    random = np.random.default_rng(seed)
    shuffled = table.iloc[random.permutation(len(table))]
    firsts = shuffled.drop_duplicates(["source", "videoid"])
    is_msrvtt = firsts.source == MSRVTT
    single = firsts[is_msrvtt].head(SINGLE)
    mixed = firsts[~is_msrvtt].groupby("source").head(EACH)
    chosen = random.permutation(np.sort(table[table.source == MSRVTT].videoid.unique()))[:MULTI]
    multi = table[(table.source == MSRVTT) & table.videoid.isin(chosen)]
    return {
        name: _videos(zip(rows.source + ":" + rows.videoid, rows.name_of_caption, strict=True))
        for name, rows in (
            (name, each.rename(columns={"name": "name_of_caption"}))
            for name, each in (("single", single), ("mixed", mixed), ("multi", multi))
        )
    }


def _videos(said: object) -> pa.Table:
    captions: dict[str, list[str]] = {}
    for video, caption in said:  # type: ignore[attr-defined]
        captions.setdefault(video, []).append(caption)
    rows = [{"video_id": video, "captions": captions[video], "source": "readings"} for video in sorted(captions)]
    return check_columns(pa.Table.from_pylist(rows, schema=pa.schema(list(VIDEOS)[:3])), VIDEOS, "readings")


def tell(rows: Sequence[Mapping]) -> None:
    """Print how many pairs each reading calls good, and good or weak, and how often two agree."""
    for corpus in dict.fromkeys(row["corpus"] for row in rows):
        found = [row for row in rows if row["corpus"] == corpus]
        for reader in READERS:
            labels = [row[reader] for row in found if row[reader] is not None]
            for name, least in (("good", 2), ("good or weak", 1)):
                share = Share(sum(label >= least for label in labels), len(labels))
                if labels:
                    low, high = share.interval()
                    print(f"{corpus:8} {reader} {name:12} {share.value:.2f} [{low:.2f}, {high:.2f}] of {share.of}")
        for one, other in combinations(READERS, 2):
            both = [(row[one], row[other]) for row in found if None not in (row[one], row[other])]
            if both:
                agreed = sum(first == second for first, second in both) / len(both)
                print(f"{corpus:8} {one}, {other}: agreement {agreed:.2f}, kappa {kappa(both):.2f} of {len(both)}")


def kappa(both: Sequence[tuple[int, int]]) -> float:
    """Return Cohen's kappa of two readings."""
    counts = [Counter(side) for side in zip(*both, strict=True)]
    chance = sum(counts[0][label] * counts[1][label] for label in (0, 1, 2)) / len(both) ** 2
    agreed = sum(one == other for one, other in both) / len(both)
    return (agreed - chance) / (1 - chance) if chance < 1 else 1.0


if __name__ == "__main__":
    main()
