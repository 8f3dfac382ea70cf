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
from cvr_data.videos.filters.aesthetic import Config as Look
from tests.labelled_clips import (
    KINDS,
    bright,
    cropped,
    dark,
    noisy,
    precision_and_recall,
    subtitled,
    write_labelled_clips,
)

FILTERS = (
    "size:low=64", "duration:low=2", "black", "brightness", "blur", "still", "shaky", "watermark", "near-duplicate",
)  # fmt: skip
COMPARING = ("watermark", "near-duplicate")
SPOILT = {"bright": bright, "noisy": noisy, "cropped": cropped, "dark": dark}
"""What makes a clip ugly."""
SAME_FILMS = ("jeep", "porsche", "gpu", "rabbit", "surfer")
"""Edits of films that are asked about."""
LOOK = 0.5
"""Neither of the two texts."""
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


def judged_look(home: Path, shared: Path) -> None:
    """Print precision and recall of `aesthetic` on pieces of films and spoilt copies of them, by the packaged encoders.

    Heads are fitted to other clips: to what these show, and to that with the filter's own two texts before it.
    """
    films = [(name, clip, rate) for name, clip, rate in real_pieces(shared)]
    rows = csv.DictReader((shared / "fatezero_covr" / "videos.csv").open(encoding="utf-8"))
    edits = [row for row in rows if not row["videoid"].startswith(SAME_FILMS)]
    clips = [read_frames(Clip(shared / "fatezero_covr/videos" / f"{row['videoid']}.mp4"), 8, "first") for row in edits]
    write_spoilt(home / "films", [(name, f"clip {name}", clip, rate) for name, clip, rate in films], said=False)
    run("import", "folder", home / "films", "--out", home / "films-videos")
    run("embed", home / "films-videos", "--out", home / "films-embeddings")
    for said in (False, True):
        taught = home / f"taught-{said}"
        learned = [(row["videoid"], row["name"], clip, 4) for row, clip in zip(edits, clips, strict=True)]
        write_spoilt(taught, learned, said=said)
        run("import", "folder", taught, "--out", f"{taught}-videos")
        run("embed", f"{taught}-videos", "--out", f"{taught}-embeddings")
        run("split", f"{taught}-videos", "--out", f"{taught}-split", "--embeddings", f"{taught}-embeddings")
        run("fit-heads", f"{taught}-embeddings", "--videos", f"{taught}-split")
        run("fit-heads", home / "films-embeddings", "--from", f"{taught}-embeddings", "--overwrite")
        out = home / f"looked-{said}"
        given = ("--embeddings", home / "films-embeddings", "--measures", home / "films-measures", "--out", out)
        run("filter-videos", home / "films-videos", "-f", f"aesthetic:low={LOOK}", *given)
        told_look("aesthetic, taught" if said else "aesthetic", out)


def told_look(name: str, out: Path) -> None:
    """Print a line for all faults and one for each, and how the values of good and of spoilt clips lie."""
    found = open_artifact(out)
    values = {row["video_id"]: row["aesthetic"] for row in [*found.read().to_pylist(), *found.dropped().to_pylist()]}
    dropped, clean = dropped_ids(out), {video_id for video_id in values if video_id.startswith("clean")}
    told_line(name, dropped, values.keys() - clean)
    for fault in SPOILT:
        wanted = {video_id for video_id in values if video_id.startswith(fault)}
        told_line(f"  {fault}", dropped & (wanted | clean), wanted)
    for kind, ids in (("clean", clean), ("spoilt", values.keys() - clean)):
        counts = np.histogram([values[each] for each in ids], np.linspace(0, 1, 11))[0]
        print(f"    {kind:<8} of 0.0 to 1.0 by tenths: {' '.join(map(str, counts))}", flush=True)


def write_spoilt(folder: Path, clips: list[tuple[str, str, np.ndarray, int]], said: bool) -> None:
    """Write each clip as it is and once for each fault; the captions may say whether it is good."""
    folder.mkdir(parents=True)
    generator, captions = np.random.default_rng(0), []
    for name, caption, frames, rate in clips:
        for fault, spoil in {"clean": None, **SPOILT}.items():
            clip = frames if spoil is None else spoil(frames, generator)
            write_mp4(folder / f"{fault}-{name}.mp4", np.ascontiguousarray(clip), fps=rate)
            look = (Look().good if spoil is None else Look().bad) if said else ""
            captions.append((f"{fault}-{name}.mp4", f"{look} {caption}".strip()))
    with (folder / "captions.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("file", "caption"), *captions])


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
            judged_look(home / "look", asked.real)
            print("edited clips of eight frames: ", end="")
            judged(
                home / "edited", write_real_clips(home / "edited", asked.real, True), frozenset({"duration", "shaky"})
            )


if __name__ == "__main__":
    main()
