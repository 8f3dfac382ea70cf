"""Do the strategies find what is there: published pairs among real captions, and the truth of the synthetic world.

    python speed/mining_recall.py --data ../shared/data

Hides the published WebVid-CoVR test pairs among real captions, mines them with `one-word` without filters and without
group caps, then passes what was found through each default filter alone and explains every miss; then mines the
synthetic world with `one-word` and `concept` and holds changes and concepts against the truth.
"""

import argparse
import csv
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.core.stages import stage_rows_by_drop_reason
from cvr_data.features.similarities import text_similarities
from cvr_data.language.words import stems
from cvr_data.pairs.changes import type_changes
from cvr_data.pairs.mine_pairs import DEFAULT_FILTERS, parse_mining_filter
from cvr_data.pairs.search.concept_pairs import SLOT_OF
from cvr_data.pairs.search.statement_tables import mining_caption_statements, statements_to_pair
from cvr_data.pairs.strategies import concept, one_word
from cvr_data.tables import VIDEOS
from cvr_data.videos.corpora import CORPORA
from cvr_data.videos.import_videos import import_videos
from cvr_data.videos.synthetic.concepts import ADJECTIVES, NOUNS, SLOTS, UNSAID, VERBS, Concept
from cvr_data.videos.synthetic.truth import Truth, read_synthetic_truth
from tests.mined_pairs import mined as mined_pairs
from tests.truth_measures import CHANGE_SLOTS, synthetic_word_meanings, true_changes

NO_CAP = 10**9
SLOTS_OF_CHANGES = ("object", "attribute", "scene", "action")
PUBLISHED = Path("webvid_covr/webvid8m-covr_test.half.csv")
CAPTIONS = Path("captions/captions.parquet")


@dataclass
class Counts:
    """Right and wrong ones, and those that were missed."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    def shown(self) -> str:
        precision = self.right / max(self.right + self.wrong, 1)
        recall = self.right / max(self.right + self.missed, 1)
        return f"precision {precision:.3f}, recall {recall:.3f} ({self.right} right, {self.wrong} wrong)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="Folder of real annotation files.")
    parser.add_argument("--most", type=int, default=NO_CAP, help="Real captions at most.")
    parser.add_argument("--seed", default="0", help="Seed of the synthetic world.")
    options = parser.parse_args()
    if (options.data / PUBLISHED).is_file():
        recall_of_published(options.data, options.most)
    else:
        print(f"no published pairs at {options.data / PUBLISHED}")
    with tempfile.TemporaryDirectory() as folder:
        videos = Path(folder) / "videos"
        world = {"train": "400", "val": "60", "test": "300", "seed": options.seed, "render": "false"}
        import_videos(CORPORA.get("synthetic"), CORPORA.config("synthetic", world), videos)
        against_truth(open_artifact(videos).read(), read_synthetic_truth(videos))


def recall_of_published(data: Path, most: int) -> None:
    """Print the share of the published pairs that one-word finds, and each one that it does not."""
    with (data / PUBLISHED).open(encoding="utf-8", newline="") as file:
        published = list(csv.DictReader(file))
    own = {row[f"pth{side}"]: row[f"txt{side}"] for row in published for side in (1, 2)}
    others = pc.unique(pq.read_table(data / CAPTIONS, columns=["name"]).column("name").cast(pa.string()))
    others = others.slice(0, most).to_pylist()
    videos = video_table([*own.items(), *((f"other-{number}", text) for number, text in enumerate(others))])
    config = one_word.Config(max_group=NO_CAP, max_videos_per_caption=NO_CAP)
    wanted = {(row["pth1"], row["pth2"]) for row in published}
    names = pa.array([f"{one} {other}" for one, other in wanted])
    pairs, _ = stage_rows_by_drop_reason(one_word.run(config, videos))
    print(f"{len(wanted)} published pairs among {videos.num_rows} captions: {pairs.num_rows} pairs mined")
    keys = pc.binary_join_element_wise(pairs.column("reference_id"), pairs.column("target_id"), " ")
    found = pairs.filter(pc.is_in(keys, names))
    print(f"one-word finds {found.num_rows} of them: {found.num_rows / len(wanted):.2%}")
    mined = set(zip(*(found.column(f"{side}_id").to_pylist() for side in ("reference", "target")), strict=True))
    for row in published:
        if (row["pth1"], row["pth2"]) not in mined:
            told = one_word.explain(config, row["txt1"], row["txt2"])
            print(f"  missed: {row['txt1']!r} -> {row['txt2']!r}: {told}")
    after_each_filter(found, pairs, len(wanted))


def after_each_filter(found: pa.Table, pairs: pa.Table, total: int) -> None:
    """Print how many of the found pairs each default filter keeps, by itself and after those before it.

    A cap chooses among all pairs that were mined, any other filter looks at one pair at a time.
    """
    found = found.append_column("text_similarity", text_similarities(found, None))
    together = found
    for name in (name for name in DEFAULT_FILTERS if name != "straddling"):
        chosen = parse_mining_filter(name)
        is_cap = name.endswith("-cap")
        seen = pairs.append_column("visual_similarity", pa.nulls(pairs.num_rows, pa.float32())) if is_cap else found
        passed, _ = stage_rows_by_drop_reason(chosen.module.run(chosen.config, seen))
        kept = passed.column("pair_id")
        alone = found.filter(pc.is_in(found.column("pair_id"), kept))
        together = together.filter(pc.is_in(together.column("pair_id"), kept))
        print(f"  {name:<18}alone {alone.num_rows / total:7.2%}   so far {together.num_rows / total:7.2%}")
    print("  straddling         needs the splits of a corpus, which the published file has not")


def video_table(captions: Iterable[tuple[str, str]]) -> pa.Table:
    ids, texts = zip(*captions, strict=True)
    columns = {
        "video_id": pa.array(ids),
        "captions": pa.array([[text] for text in texts]),
        "source": pa.repeat("real", len(ids)),
    }
    return check_columns(pa.table(columns), VIDEOS, "captions")


def against_truth(videos: pa.Table, truth: Truth) -> None:
    """Print precision and recall of change typing per slot, of concepts per video, and of the changes of pairs."""
    pairs, _ = stage_rows_by_drop_reason(one_word.run(one_word.Config(), videos))
    typed = {slot: Counts() for slot in SLOTS_OF_CHANGES}
    for row in type_changes(pairs).to_pylist():
        true = changes_of(truth, row)
        if len(true) == 1:
            count(typed, true[0]["slot"], row["changes"][0]["slot"])
    print(
        f"change typing of {pairs.num_rows} one-word pairs of the synthetic world, pairs of two true changes left out"
    )
    for slot, counts in typed.items():
        print(f"  {slot:<10}{counts.shown()}")
    ordered = videos.sort_by("video_id")
    captions = ordered.column("captions").to_pylist()
    told = mining_caption_statements([caption for found in captions for caption in found], {})
    said = Counts()
    for video_id, found in zip(ordered.column("video_id").to_pylist(), captions, strict=True):
        stated, _ = statements_to_pair(found, told, concept.Config().caption_share)
        named = {(each["said"], SLOT_OF.get(each["slot"], "attribute")) for row in stated for each in row["filled"]}
        count_concepts(said, truth.concepts[video_id], sorted(named))
    print(f"concepts of {videos.num_rows} clips       {said.shown()}")
    against_concepts(videos, truth, concept.Config(), "by WordNet")
    with tempfile.TemporaryDirectory() as folder:
        synonyms = Path(folder) / "synonyms.txt"
        synonyms.write_text("\n".join(synonyms_of_the_world()), encoding="utf-8")
        config = concept.Config(synonyms=synonyms)
        against_concepts(videos, truth, config, "with a file of the world's synonyms")


def against_concepts(videos: pa.Table, truth: Truth, config: concept.Config, name: str) -> None:
    """Print how many changes of the mined pairs are those of the truth."""
    mined, dropped = stage_rows_by_drop_reason(mined_pairs(concept, config, videos))
    changes = Counts()
    for row in mined.to_pylist():
        count_changes(changes, row["changes"], changes_of(truth, row))
    reasons = {row["values"]: row["counts"] for row in dropped.column("drop_reason").value_counts().to_pylist()}
    print(f"changes of {mined.num_rows} concept pairs, {name}: {changes.shown()}; dropped: {reasons}")


def synonyms_of_the_world() -> list[str]:
    """Return the words that name one value, a line each, as `synonyms=` wants them."""
    groups = [words for values in {**NOUNS, **ADJECTIVES}.values() for words in values.values()]
    groups += [tuple(verb.base for verb in verbs) for values in VERBS.values() for verbs in values.values()]
    return sorted({", ".join(words) for words in groups if len(words) > 1})


def changes_of(truth: Truth, row: dict[str, Any]) -> list[dict[str, str]]:
    return true_changes(truth.concepts[row["reference_id"]], truth.concepts[row["target_id"]])


def count(counts: dict[str, Counts], true: str, found: str) -> None:
    counts[true].right += true == found
    counts[true].missed += true != found
    if found != true and found in counts:
        counts[found].wrong += 1


def count_concepts(counts: Counts, shown: Concept, named: list[tuple[str, str]]) -> None:
    """Count what a clip's captions name, right if its slot and value are those of the truth."""
    wanted = {(slot, getattr(shown, slot)) for slot in SLOTS if getattr(shown, slot) != UNSAID.get(slot)}
    found = set()
    for phrase, of_change in named:
        right = {(slot, value) for slot, value in meanings(phrase) if CHANGE_SLOTS[slot] == of_change}
        counts.wrong += not right & wanted
        found |= right & wanted
    counts.right += len(found)
    counts.missed += len(wanted - found)


def count_changes(counts: Counts, found: list[dict[str, Any]], true: list[dict[str, str]]) -> None:
    """Count changes, right if slot, before and after are the truth's; an unsaid value is no word on that side."""
    left = [(change["slot"], said(change["before"]), said(change["after"])) for change in true]
    for change in found:
        sides = {name: {value for _, value in meanings(change[name] or "")} for name in ("before", "after")}
        match = next((row for row in left if fits(row, change["slot"], sides)), None)
        counts.right += match is not None
        counts.wrong += match is None
        if match:
            left.remove(match)
    counts.missed += len(left)


def fits(row: tuple[str, str | None, str | None], slot: str, sides: dict[str, set[str]]) -> bool:
    before, after = row[1:]
    is_before, is_after = (
        value in sides[name] if value else not sides[name] for name, value in (("before", before), ("after", after))
    )
    return slot == row[0] and is_before and is_after


def said(value: str) -> str | None:
    return None if value in UNSAID.values() else value


def meanings(phrase: str) -> set[tuple[str, str]]:
    """Return what the words of a phrase name in the synthetic world."""
    known = synthetic_word_meanings()
    return {known[form] for word in phrase.split() for form in {word, *stems(word)} if form in known}


if __name__ == "__main__":
    main()
