"""Draw texts by rules for real pairs to be read one by one, and count what readers said.

    python speed/rule_texts.py draw PAIRS ... --seed 2018 --out drawn.jsonl      # 100 texts of each style, unread
    python speed/rule_texts.py draw PAIRS ... --seed 2019 --skip drawn.jsonl --out others.jsonl   # no pair of the first
    python speed/rule_texts.py count speed/results/rule_texts_readings.jsonl  # shares of what was read, with intervals
    python speed/rule_texts.py distinct              # distinct-2 of texts by people, by us and by CoVR's templates

Half of the texts are of published WebVid-CoVR pairs ($CVR_DATA), half of PAIRS, folders of `cvr mine-pairs`: of each
strategy and source (the ids up to the first underscore) as many as of another; more of PAIRS where few are left of the
published ones. Only texts that lint accepts are drawn;
how many pairs get one is printed. A reader says 2 (a person could have written it), 1 (clear, but no person says it so)
or 0 (unusable: wrong, ungrammatical beyond use, or not what changes).
"""

import argparse
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import real_captions

from cvr_data.core.artifacts import open_artifact
from cvr_data.language.words import words_of
from cvr_data.modifications.generator import Config, Generator
from cvr_data.tables import PAIRS

STYLES = ("short", "static", "action")
EACH = 100
ARTICLES = ("a", "an", "the")
READ = ("unusable", "clear", "like a person's")


def key_of(row: dict[str, Any], seed: int) -> str:
    words = [word for side in ("reference", "target") for word in words_of(row[f"{side}_caption"])]
    return hashlib.sha256(f"{seed} {' '.join(words)}".encode()).hexdigest()


def published(path: Path) -> list[dict[str, Any]]:
    """Return the WebVid-CoVR pairs with their changes that count."""
    triples = [(line["txt1"], line["txt2"], line["edit"]) for line in real_captions.lines_of(path)]
    rows = []
    for number, row in enumerate(real_captions.human_rows(triples)):
        change = {name: row[name] or None for name in ("kind", "slot", "before", "after")}
        about = {"pair_id": f"{number:016x}", "reference_id": f"r{number}", "target_id": f"t{number}"}
        captions = {"reference_caption": row["reference"], "target_caption": row["target"]}
        rows.append({**about, **captions, "strategy": "given", "changes": [change]})
    return rows


def mined(folders: Sequence[Path], seed: int) -> list[dict[str, Any]]:
    """Return the pairs of folders, one of each strategy and source after the other."""
    sources = defaultdict(list)
    for path in (path for folder in folders for path in open_artifact(folder).part_paths):
        for row in pq.read_table(path, columns=PAIRS.names).to_pylist():
            sources[row["strategy"], row["reference_id"].split("_")[0]].append(row)
    ordered = [sorted(sources[name], key=lambda row: key_of(row, seed)) for name in sorted(sources)]
    return [row for rows in zip_longest(*ordered) for row in rows if row is not None]


def texts_of(rows: Sequence[dict[str, Any]], style: str, seed: int, count: int) -> Iterator[dict[str, Any]]:
    """Yield the first `count` accepted texts of rows that have a change of the style, and print the yield."""
    generator, tried, found = Generator(Config(prompt=style, backend="rules", seed=seed)), 0, 0
    rows = list({key_of(row, seed): row for row in rows}.values())  # look-alikes once
    fitting = [row for row in rows if style == "short" or any(change["kind"] == style for change in row["changes"])]
    why: Counter[str] = Counter()
    for row in fitting:
        if found == count:
            break
        (text,) = generator.texts_for(pa.Table.from_pylist([row])).to_pylist()
        tried += 1
        why.update(text["reasons"])
        if text["status"] == "ok":
            found += 1
            yield {"style": style, "text": text["modification"],
                   "reference": row["reference_caption"], "target": row["target_caption"]}  # fmt: skip
    print(f"{style}: {found} of {tried} pairs have a text; {dict(why)}")


def draw(options: argparse.Namespace) -> None:
    seed = options.seed
    known = {(row["reference"], row["target"]) for path in options.skip for row in real_captions.rows_of(path)}
    human = published(real_captions.DATA / "webvid_covr" / real_captions.HUMAN)
    human.sort(key=lambda row: key_of(row, seed))
    pools = [
        [row for row in rows if (row["reference_caption"], row["target_caption"]) not in known]
        for rows in (human, mined(options.pairs, seed))
    ]
    with options.out.open("w", encoding="utf-8") as file:
        for style in STYLES:
            half = list(texts_of(pools[0], style, seed, EACH // 2))
            for text in [*half, *texts_of(pools[1], style, seed, EACH - len(half))]:
                file.write(json.dumps(text, ensure_ascii=False) + "\n")


def count(options: argparse.Namespace) -> None:
    rows = real_captions.rows_of(options.readings)
    readings = [name for name in rows[0] if name.startswith("reading")]
    for seed, style in sorted({(row["seed"], row["style"]) for row in rows}, key=lambda key: (key[0], -ord(key[1][0]))):
        drawn = [row for row in rows if (row["seed"], row["style"]) == (seed, style)]
        for name in readings:
            found = [row[name] for row in drawn if row[name] is not None]
            for value, what in enumerate(READ if found else ()):
                share = real_captions.Share(hits=found.count(value), of=len(found))
                low, high = share.interval()
                print(f"{seed} {style:<7} {name} {what:<16} {share.value:.2f} of {share.of} [{low:.2f}, {high:.2f}]")
        both = [pair for pair in ([row[name] for name in readings] for row in drawn) if None not in pair]
        if len(readings) == 2 and both:
            print(f"{seed} {style:<7} the readings agree on {sum(one == other for one, other in both)} of {len(both)}")


def distinct_2(texts: Sequence[str], articles: bool) -> float:
    """Return the share of two words in a row that stand in no other place."""
    said = [[word for word in text.lower().split() if articles or word not in ARTICLES] for text in texts]
    bigrams = [pair for words in said for pair in pairwise(words)]
    return len(set(bigrams)) / len(bigrams)


def distinct(options: argparse.Namespace) -> None:
    """Print distinct-2 of hundreds of texts (their mean) and of all, as it falls with their number."""
    path = real_captions.DATA / "webvid_covr" / real_captions.HUMAN
    pairs = pa.Table.from_pylist(published(path))
    texts = {"people": [line["edit"] for line in real_captions.lines_of(path)]}
    for name, style, asked in (
        *((f"ours, {style}", style, {}) for style in STYLES),
        ("style=covr", "short", {"options": ("style=covr",)}),
    ):
        made = Generator(Config(prompt=style, backend="rules", seed=1, **asked)).texts_for(pairs).to_pylist()
        texts[name] = [row["modification"] for row in made if row["status"] == "ok"]
    for name, said in texts.items():
        step = max(1, len(said) // EACH)
        hundreds = [said[start::step][:EACH] for start in range(step)]
        for articles in (True, False):
            mean = sum(distinct_2(some, articles) for some in hundreds) / len(hundreds)
            told = f"{'with' if articles else 'without'} articles: {mean:.3f} of {len(hundreds[0])} texts"
            print(f"{name:<12} {told}, {distinct_2(said, articles):.3f} of {len(said)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    drawing = commands.add_parser("draw")
    drawing.add_argument("pairs", type=Path, nargs="+")
    drawing.add_argument("--seed", type=int, required=True)
    drawing.add_argument("--skip", type=Path, nargs="*", default=(), help="texts whose pairs are left out")
    drawing.add_argument("--out", type=Path, required=True)
    drawing.set_defaults(run=draw)
    counting = commands.add_parser("count")
    counting.add_argument("readings", type=Path)
    counting.set_defaults(run=count)
    commands.add_parser("distinct").set_defaults(run=distinct)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
