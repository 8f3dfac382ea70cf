"""Captions of any number that behave as real ones do, for measuring at sizes of which there are no real ones.

    python speed/captions.py OUT --captions 10000000       # a videos table of that many, one caption a video
    python speed/captions.py OUT --captions 2000000 --check # and how it differs from the real captions

The first copy is the real captions, each once. In every further copy each noun, adjective and verb is replaced by
another of its class (spaCy's tag, so number and tense stay) that is about as frequent: a permutation of the words of a
band of ranks, another one for each copy, from the seed. So captions that differ in one word still do, sentences keep
their lengths, and words their frequencies. --check prints words and letters per caption, how far the frequencies moved,
and one-word partners per caption beside those of the real captions.
"""

import argparse
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from measuring import CAPTIONS, print_machine, real_captions, timed

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.progress import Progress
from cvr_data.language.normalise import WordIds, word_ids
from cvr_data.language.tagging import tagged

SWAPPED = ("NN", "NNS", "JJ", "VB", "VBD", "VBG", "VBN", "VBP", "VBZ")
"""spaCy's tags of the words that are replaced."""
BAND = 2.0
"""Words are swapped with those of at most about so many times their rank."""
LEAST_BAND = 24
"""Words of a band at least: among fewer, copies would often make the same caption again."""
TAGGED_PER_WORD = 3
"""Captions looked at for the tag of a word."""


def bands(words: WordIds) -> list[np.ndarray]:
    """Return groups of rows of the vocabulary: the words of one tag whose ranks are near."""
    counts = np.bincount(words.ids, minlength=len(words.vocabulary))
    of_tag = defaultdict(list)
    for word, tag in enumerate(_tags(words)):
        if tag in SWAPPED:
            of_tag[tag].append(word)
    found = []
    for tag in sorted(of_tag):
        ranked = np.array(sorted(of_tag[tag], key=lambda word: (-counts[word], word)))
        start = 0
        while start < len(ranked):
            end = max(start + LEAST_BAND, int(BAND * start))
            found.append(ranked[start : end if end + LEAST_BAND <= len(ranked) else len(ranked)])
            start += len(found[-1])
    return found


def _tags(words: WordIds) -> list[str]:
    """Return the tag that each word of the vocabulary has most often in a few captions that have it."""
    by_word = np.argsort(words.ids, kind="stable")
    firsts = np.searchsorted(words.ids[by_word], np.arange(len(words.vocabulary)))
    ends = np.append(firsts[1:], len(by_word))
    few = zip(firsts, np.minimum(firsts + TAGGED_PER_WORD, ends), strict=True)
    places = np.concatenate([np.arange(first, end) for first, end in few])
    rows = np.unique(np.searchsorted(words.offsets, by_word[places], side="right") - 1)
    votes: dict[str, Counter] = defaultdict(Counter)
    lists = pa.ListArray.from_arrays(pa.array(words.offsets, pa.int32()), words.vocabulary.take(pa.array(words.ids)))
    texts = pc.binary_join(lists, " ").take(pa.array(rows)).to_pylist()
    with Progress("tag", len(texts), "captions") as progress:
        for tags in tagged(texts):
            for word, tag in zip(tags.words, tags.tags, strict=True):
                votes[word][tag] += 1
            progress.advance()
    return [votes[word].most_common(1)[0][0] if votes[word] else "" for word in words.vocabulary.to_pylist()]


def copy_of(words: WordIds, groups: list[np.ndarray], number: int, seed: int) -> pa.Array:
    """Return the texts of one copy; of number 0 the real ones, as their words."""
    became = np.arange(len(words.vocabulary), dtype=np.int64)
    if number:
        rng = np.random.default_rng([seed, number])
        for group in groups:
            became[group] = rng.permutation(group)
    spelled = words.vocabulary.take(pa.array(became[words.ids]))
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(words.offsets, pa.int32()), spelled), " ")


def write(out: Path, words: WordIds, groups: list[np.ndarray], wanted: int, seed: int) -> None:
    """Write a videos table of so many captions, a part per copy."""
    config = {"captions": wanted, "seed": seed}
    texts_per_copy = len(words.offsets) - 1
    with ArtifactWriter(out, stage="import", config=config, overwrite=True) as writer:
        with Progress("write", wanted, "captions") as progress:
            for number, start in enumerate(range(0, wanted, texts_per_copy)):
                texts = copy_of(words, groups, number, seed).slice(0, wanted - start)
                numbers = pa.array(np.arange(start, start + len(texts))).cast(pa.string())
                captions = pa.ListArray.from_arrays(pa.array(np.arange(len(texts) + 1), pa.int32()), texts)
                table = {"video_id": pc.binary_join_element_wise("v", pc.utf8_lpad(numbers, 9, "0"), ""),
                         "captions": captions, "source": pa.array(["swapped"] * len(texts))}  # fmt: skip
                writer.write_part(number, pa.table(table))
                progress.advance(len(texts))
        writer.finish()


def facts(texts: pa.Array) -> dict[str, Any]:
    """Return what copies should keep of captions: lengths, frequencies by rank, one-word partners."""
    from cvr_data.pairs.search.captions import read_captions_to_mine
    from cvr_data.pairs.strategies.one_word import find_pairs

    words = word_ids(texts)
    lists = pa.ListArray.from_arrays(pa.array(np.arange(len(texts) + 1), pa.int32()), texts)
    ids = pa.array(np.arange(len(texts))).cast(pa.string())
    captions = read_captions_to_mine(pa.table({"video_id": ids, "captions": lists}), 2, 50)
    pairs, templates = find_pairs(captions, 50)
    counts = np.sort(np.bincount(words.ids))[::-1] / len(words.ids)
    return {"words": float(np.diff(words.offsets).mean()), "letters": float(pc.mean(pc.utf8_length(texts)).as_py()),
            "partners": len(pairs.reference) / len(texts), "templates": len(templates), "frequencies": counts,
            "distinct": len(pc.unique(texts)) / len(texts)}  # fmt: skip


def check(out: Path, real: pa.Array) -> None:
    """Print the facts of the real captions and of those written, side by side."""
    written = open_artifact(out).read(["captions"]).column("captions").combine_chunks().flatten()
    ours, theirs = facts(written), facts(real)
    for name in ("words", "letters", "distinct", "partners", "templates"):
        print(f"{name:<10} real {theirs[name]:10.3f}   written {ours[name]:10.3f}   {ours[name] / theirs[name]:.3f}x")
    size = min(len(ours["frequencies"]), len(theirs["frequencies"]))
    moved = np.abs(ours["frequencies"][:size] - theirs["frequencies"][:size]).sum() / 2
    print(f"frequencies by rank: {moved:.3f} of all words moved")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--captions", type=int, default=10_000_000)
    parser.add_argument("--source", type=Path, default=CAPTIONS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--check", action="store_true", help="compare with the real captions")
    options = parser.parse_args()
    print_machine()
    real = real_captions(options.source)
    words = word_ids(real)
    seconds, groups = timed(lambda: bands(words))
    print(f"{len(real)} captions, {len(words.vocabulary)} words, {len(groups)} bands, {seconds:.0f} s")
    seconds, _ = timed(lambda: write(options.out, words, groups, options.captions, options.seed))
    print(f"{options.out}: {options.captions} captions, {seconds:.0f} s")
    if options.check:
        check(options.out, real)


if __name__ == "__main__":
    main()
