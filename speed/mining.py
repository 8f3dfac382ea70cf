"""Mining against what a good user would write, on real captions: time, and memory of a process of its own for each.

    python speed/mining.py                                        # a few minutes
    python speed/mining.py one-word --sizes 200000 1000000 5000000 10000000
    python speed/mining.py neighbors --neighbors 100000 --vectors vectors.npy

one-word: a corpus of any size is copies of 200,000 real captions, each copy with words of its own, so the pairs per
caption are the same at every size. The baseline is a dictionary of blanked captions. Both start from the captions as
text and give the same pairs; making rows of the pairs table is timed apart.

neighbors: `sentence_transformers.util.paraphrase_mining_embeddings`, untruncated, on the same vectors. Its float32
products round; where it takes another neighbour, that one's similarity must be equal to 1e-5.
"""

import argparse
import gc
import json
import os
import string
import tempfile
import time
from collections import defaultdict
from itertools import permutations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from measuring import CAPTIONS, in_own_process, print_machine, real_captions, resident_bytes

COPY = 200_000
BASELINE_MOST = 2_000_000
MAX_GROUP = 50
GIB = 2**30


def corpus(path: Path, size: int) -> pa.Array:
    """The first 200,000 captions, then copies of them whose words end in the copy's number."""
    from cvr_data.language.normalise import word_ids

    words = word_ids(real_captions(path).slice(0, min(COPY, size)))
    offsets, copies = pa.array(words.offsets, pa.int32()), []
    for number in range(-(-size // COPY)):
        ending = str(number) if number else ""
        vocabulary = pc.binary_join_element_wise(words.vocabulary, ending, "")
        copies.append(pc.binary_join(pa.ListArray.from_arrays(offsets, vocabulary.take(pa.array(words.ids))), " "))
    return pa.concat_arrays([copy.cast(pa.large_string()) for copy in copies]).slice(0, size).cast(pa.string())


def dictionary_of_blanks(captions: list[str]) -> list[tuple[int, int]]:
    """One dictionary from each caption with each word blanked to the captions that have it."""
    distinct: dict[str, int] = {}
    groups = defaultdict(list)
    for caption in captions:
        words = [word for piece in caption.lower().split() if (word := piece.strip(string.punctuation))]
        if len(words) < 2 or (plain := " ".join(words)) in distinct:
            continue
        number = distinct.setdefault(plain, len(distinct))
        for place in range(len(words)):
            groups[" ".join([*words[:place], "_", *words[place + 1 :]])].append(number)
    return [pair for group in groups.values() if 2 <= len(group) <= MAX_GROUP for pair in permutations(group, 2)]


def clock() -> np.ndarray:
    """Wall seconds and CPU seconds of this process: on a machine that others use, the second says more."""
    return np.array([time.perf_counter(), time.process_time()])


def forget_peak() -> int:
    """Start a new peak at what is in memory now."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    return resident_bytes("VmHWM")


def one_word_ours(file: Path, out: Path) -> dict:
    from cvr_data.pairs.search.captions import read_captions_to_mine
    from cvr_data.pairs.search.pairs import pairs_table
    from cvr_data.pairs.strategies import one_word

    texts = pq.read_table(file).column("caption").combine_chunks()
    ids = pc.binary_join_element_wise("v", pa.array(range(len(texts))).cast(pa.string()), "")
    lists = pa.ListArray.from_arrays(pa.array(np.arange(len(texts) + 1), pa.int32()), texts)
    videos = pa.table({"video_id": ids, "captions": lists})
    before, started = forget_peak(), clock()
    captions = read_captions_to_mine(videos, 2, MAX_GROUP)
    found, _ = one_word.find_pairs(captions, MAX_GROUP)
    (seconds, cpu_s), extra = clock() - started, resident_bytes("VmHWM") - before
    started = clock()
    rows = pairs_table(captions, found.changed(captions.vocabulary), [], "one-word").num_rows
    emit_s = (clock() - started)[0]
    return {"seconds": seconds, "cpu_s": cpu_s, "extra": extra, "pairs": len(found.reference), "rows": rows,
            "emit_s": emit_s, "peak": resident_bytes("VmHWM")}  # fmt: skip


def one_word_dictionary(file: Path, out: Path) -> dict:
    captions = pq.read_table(file).column("caption").to_pylist()
    before, started = forget_peak(), clock()
    pairs = dictionary_of_blanks(captions)
    seconds, cpu_s = clock() - started
    return {"seconds": seconds, "cpu_s": cpu_s, "extra": resident_bytes("VmHWM") - before, "pairs": len(pairs),
            "peak": resident_bytes("VmHWM")}  # fmt: skip


def neighbors_ours(file: Path, out: Path) -> dict:
    from cvr_data.pairs.search.nearest import Band, mined_nearest_neighbours

    vectors_ND, k = np.load(file), int(os.environ["NEIGHBORS_K"])
    mined_nearest_neighbours(vectors_ND[:64], Band(k=1, low=-1.0, high=2.0))  # what is loaded once is not timed
    before, started = forget_peak(), clock()
    found = mined_nearest_neighbours(vectors_ND, Band(k=k, low=-1.0, high=2.0))
    keys = np.minimum(found.query, found.neighbour) * len(vectors_ND) + np.maximum(found.query, found.neighbour)
    keys = np.unique(keys)
    seconds, cpu_s = clock() - started
    np.save(out, keys)
    return {"seconds": seconds, "cpu_s": cpu_s, "extra": resident_bytes("VmHWM") - before, "pairs": len(keys),
            "peak": resident_bytes("VmHWM")}  # fmt: skip


def neighbors_sentence_transformers(file: Path, out: Path) -> dict:
    import torch
    from sentence_transformers.util import paraphrase_mining_embeddings

    vectors_ND, k = np.load(file), int(os.environ["NEIGHBORS_K"])
    before, started = forget_peak(), clock()
    pairs = paraphrase_mining_embeddings(torch.from_numpy(vectors_ND), max_pairs=2**62, top_k=k)
    seconds, cpu_s = clock() - started
    extra = resident_bytes("VmHWM") - before
    np.save(out, np.unique(np.array([first * len(vectors_ND) + second for _, first, second in pairs], np.int64)))
    return {"seconds": seconds, "cpu_s": cpu_s, "extra": extra, "pairs": len(pairs), "peak": resident_bytes("VmHWM")}


MEASURED = {
    measure.__name__: measure
    for measure in (one_word_ours, one_word_dictionary, neighbors_ours, neighbors_sentence_transformers)
}


def one_word(options: argparse.Namespace, folder: Path) -> None:
    print(
        "one-word         captions   s       CPU s   us/caption  extra GiB  peak GiB  pairs      pairs/caption  rows s"
    )
    first = None
    for size in options.sizes:
        file = folder / "captions.parquet"
        pq.write_table(pa.table({"caption": corpus(options.captions, size)}), file)
        ours = in_own_process("--alone", "one_word_ours", file, folder / "out.npy")
        first = first or ours["seconds"] / size
        show("cvr", size, ours, f"{ours['emit_s']:6.2f}   {ours['seconds'] / size / first:.2f}x the time per caption")
        if size <= BASELINE_MOST:
            theirs = in_own_process("--alone", "one_word_dictionary", file, folder / "out.npy")
            is_same = "the same pairs" if theirs["pairs"] == ours["pairs"] else "OTHER PAIRS"
            share = ours["extra"] / theirs["extra"]
            times = theirs["seconds"] / ours["seconds"]
            show(
                "dictionary", size, theirs, f"        {is_same}; cvr: {times:.1f}x the speed, {share:.2f} of the memory"
            )


def show(name: str, size: int, found: dict, rest: str) -> None:
    print(
        f"{name:<15}{size:>10}  {found['seconds']:6.2f}  {found['cpu_s']:6.2f}  {found['seconds'] / size * 1e6:8.2f}  "
        f"{found['extra'] / GIB:9.2f}  {found['peak'] / GIB:8.2f}  {found['pairs']:>9}  "
        f"{found['pairs'] / size:9.2f}  {rest}",
        flush=True,
    )


def neighbors(options: argparse.Namespace, folder: Path) -> None:
    os.environ["NEIGHBORS_K"] = str(options.k)
    file = folder / "vectors.npy"
    vectors_ND = caption_vectors(options)
    np.save(file, vectors_ND)
    print(f"{f'neighbors, k={options.k}':<17}captions   s       CPU s   us/caption  extra GiB  peak GiB  pairs")
    ours = in_own_process("--alone", "neighbors_ours", file, folder / "ours.npy")
    show("cvr", len(vectors_ND), ours, "")
    theirs = in_own_process("--alone", "neighbors_sentence_transformers", file, folder / "theirs.npy")
    only = [np.setdiff1d(np.load(folder / one), np.load(folder / other))
            for one, other in (("ours.npy", "theirs.npy"), ("theirs.npy", "ours.npy"))]  # fmt: skip
    times = theirs["seconds"] / ours["seconds"]
    show("paraphrase_mining", len(vectors_ND), theirs, f"cvr: {times:.1f}x the speed")
    print(f"pairs of one only: {len(only[0])} and {len(only[1])}; {ties(vectors_ND, np.concatenate(only), options.k)}")


def ties(vectors_ND: np.ndarray, keys: np.ndarray, k: int) -> str:
    """Say whether each of these pairs is as near as the k-th neighbour of one of its two captions."""
    exact_ND, gaps = vectors_ND.astype(np.float64), [0.0]
    for pair in np.column_stack(np.divmod(keys, len(vectors_ND))):
        similarity = exact_ND[pair[0]] @ exact_ND[pair[1]]
        best = [np.sort(np.delete(exact_ND @ exact_ND[row], row))[-k] for row in pair]
        gaps.append(min(abs(similarity - kth) for kth in best))
    state = "all are ties" if max(gaps) < 1e-5 else "NOT ALL ARE TIES"
    return f"{state} (at most {max(gaps):.1e} from the {k}-th similarity)"


def caption_vectors(options: argparse.Namespace) -> np.ndarray:
    """Vectors of so many real captions; read from `--vectors` if it is there, else encoded and, if named, kept."""
    from cvr_data.pairs.strategies.neighbors import Config
    from cvr_data.pairs.strategies.neighbors import mining_caption_vectors as encode

    if options.vectors and options.vectors.exists():
        return np.load(options.vectors)[: options.neighbors]
    started = time.perf_counter()
    vectors_ND = encode(Config(), sorted(real_captions(options.captions).slice(0, options.neighbors).to_pylist()), None)
    print(f"encoded {len(vectors_ND)} captions in {time.perf_counter() - started:.1f} s")
    if options.vectors:
        np.save(options.vectors, vectors_ND)
    return vectors_ND


SECTIONS = {"one-word": one_word, "neighbors": neighbors}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"{', '.join(SECTIONS)}; default: both")
    parser.add_argument("--captions", type=Path, default=CAPTIONS, help="Parquet file with a column `name`")
    parser.add_argument("--sizes", type=int, nargs="+", default=[200_000, 1_000_000])
    parser.add_argument("--neighbors", type=int, default=20_000, help="captions of the neighbours")
    parser.add_argument("--k", type=int, default=20)
    parser.add_argument("--vectors", type=Path, help="keep the caption vectors in this file, and read them from it")
    parser.add_argument("--alone", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        name, file, out = options.alone
        print(json.dumps(MEASURED[name](Path(file), Path(out))))
        return
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"unknown sections {sorted(unknown)}; choose from {', '.join(SECTIONS)}")
    if not options.captions.exists():
        print(f"speed/mining.py: no captions at {options.captions}; name a file with --captions")
        return
    print_machine()
    for name in options.sections or SECTIONS:
        with tempfile.TemporaryDirectory() as folder:
            SECTIONS[name](options, Path(folder))


if __name__ == "__main__":
    main()
