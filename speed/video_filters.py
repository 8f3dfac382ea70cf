"""Precision and recall of the filters of videos, on made clips and on real ones to which the same faults were done.

    python speed/video_filters.py --real ../shared/data

Real clips are cut into pieces of 30 frames; a filter is asked of all of them, clean ones and those of every fault. What
real clips have by themselves (one was filmed from the hand, edits of one film are alike) counts against it.
"""

import argparse
import contextlib
import csv
import io
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import cli
from cvr_data.core.artifacts import open_artifact
from cvr_data.media.clip import Clip
from cvr_data.media.video import read_frames, read_frames_and_note, write_mp4
from tests.labelled_clips import KINDS, precision_and_recall, subtitled, write_labelled_clips

FILTERS = (
    "size:low=64", "duration:low=2", "black", "brightness", "blur", "still", "shaky", "watermark", "near-duplicate",
)  # fmt: skip
COMPARING = ("watermark", "near-duplicate")
PIECE, SIDE = 30, 256
Labels = dict[str, frozenset[str]]


def real_pieces(shared: Path) -> list[tuple[str, np.ndarray, int]]:
    """Pieces of the real clips, with their rate: three of each that was filmed, and the edited ones whole."""
    found = []
    for path in sorted((shared / "clips").glob("*.*")):
        if path.suffix == ".csv" or (path.stem == "iscc_demo" and path.suffix != ".webm"):
            continue
        rate = round(read_frames_and_note(path, 1).fps)
        frames = read_frames(Clip(path), 3 * PIECE, "first", SIDE)
        starts = range(0, len(frames) - PIECE + 1, PIECE)
        found += [(f"{path.stem}-{start}", frames[start : start + PIECE], min(rate, 15)) for start in starts]
    return found


def write_real_clips(folder: Path, shared: Path, edited: bool) -> Labels:
    """Write the clean pieces, and for each fault some of them with it; edited clips have 8 frames, of no one film."""
    folder.mkdir(parents=True)
    pieces = real_pieces(shared)
    if edited:
        paths = sorted((shared / "fatezero_covr" / "videos").glob("*.mp4"))
        pieces = [(path.stem, read_frames(Clip(path), 8, "first"), 4) for path in paths]
    labels: Labels = {}
    for kind in KINDS:
        generator = np.random.default_rng(len(labels))
        chosen = range(len(pieces)) if kind.fault is None else generator.permutation(len(pieces))[: max(8, kind.count)]
        for place in chosen:
            name, frames, rate = pieces[place]
            clip = frames if kind.fault is None else kind.fault(frames, generator)
            file = f"{kind.name}-{name}.mp4"
            write_mp4(folder / file, np.ascontiguousarray(clip), fps=rate)
            labels[file] = kind.dropped_by
    return labels


def judged_text(folder: Path, shared: Path) -> None:
    """Print precision and recall of `burnt-in-text` on the pieces of films, half of them with a line of subtitles."""
    folder.mkdir(parents=True)
    names = []
    for name, frames, rate in real_pieces(shared):
        for kind, clip in (("clean", frames), ("subtitled", subtitled(frames, np.random.default_rng(len(names))))):
            names.append(f"{kind}-{name}.mp4")
            write_mp4(folder / names[-1], clip, fps=rate)
    write_captions(folder, names)
    run("import", "folder", folder, "--out", folder.parent / "text-videos")
    run("filter-videos", folder.parent / "text-videos", "-f", "burnt-in-text", "--out", folder.parent / "text-out")
    dropped = dropped_ids(folder.parent / "text-out")
    told_line("burnt-in-text", dropped, {name for name in names if name.startswith("subtitled")})


def dropped_ids(folder: Path) -> set[str]:
    return {row["video_id"] for row in open_artifact(folder).dropped().to_pylist()}


def told_line(name: str, dropped: set[str], wanted: set[str]) -> None:
    precision, recall = precision_and_recall(dropped, wanted)
    wrong = ", ".join(sorted(dropped - wanted)[:3])
    counts = f"{len(wanted):>3} wanted, {len(dropped):>3} dropped"
    print(f"  {name:<16}{precision:>6.2f}{recall:>6.2f}  {counts}  {wrong}".rstrip(), flush=True)


def write_captions(folder: Path, names: list[str]) -> None:
    with (folder / "captions.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("file", "caption"), *((name, f"clip {name}") for name in names)])


def run(*words: str | Path) -> None:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
        code = cli.run([str(word) for word in words])
    if code:
        raise SystemExit(said.getvalue())


def judged(folder: Path, labels: Labels, skipped: frozenset[str]) -> None:
    """Print precision and recall of every filter, each asked alone.

    Those that compare clips are asked of the clean ones and their own: with other faults the same clip comes twice.
    """
    own = {name: {file for file, by in labels.items() if name in by or file.startswith("clean")} for name in COMPARING}
    for name, files in {"": set(labels), **own}.items():
        write_captions(folder, sorted(files))
        run("import", "folder", folder, "--out", folder.parent / f"{folder.name}{name}-videos")
    started = time.perf_counter()
    for text in FILTERS:
        name = text.partition(":")[0]
        if name in skipped:
            continue
        out = folder.parent / f"{folder.name}-{name}"
        of = f"{folder.name}{name if name in COMPARING else ''}"
        run("filter-videos", folder.parent / f"{of}-videos", "-f", text, "--out", out)
        if name == "size":
            print(f"{len(labels)} clips measured in {time.perf_counter() - started:.1f} s")
        dropped = dropped_ids(out)
        told_line(name, dropped, {file for file, by in labels.items() if name in by})


def main() -> None:
    """Write the clips, ask every filter, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--real", type=Path, help="the folder that holds clips/ and fatezero_covr/")
    parser.add_argument("--keep", type=Path, help="a folder for the clips and what is made of them")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        home = asked.keep or Path(name)
        print("filter          precision recall")
        print("made clips: ", end="")
        judged(home / "made", write_labelled_clips(home / "made"), frozenset())
        if asked.real is not None:
            print("pieces of real films: ", end="")
            judged(home / "real", write_real_clips(home / "real", asked.real, False), frozenset({"duration"}))
            if find_spec("rapidocr") is not None:
                judged_text(home / "text", asked.real)
            print("edited clips of eight frames: ", end="")
            judged(
                home / "edited", write_real_clips(home / "edited", asked.real, True), frozenset({"duration", "shaky"})
            )


if __name__ == "__main__":
    main()
