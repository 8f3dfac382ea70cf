"""CoVR-R: composed video retrieval whose texts ask for what follows from a change, not only for the change.

The gallery is every video that the queries name, of both sources (WebVid and Something-Something V2); the released code
ranks all videos of the released folder, which MTEB counts as 4,425. A query's own reference is left out, as there. The
file has 2,634 queries; the paper says 2,800. The slice `source` is webvid or ss2. The targets of the CVPR 2026
challenge are the organisers': `load_blind` reads its queries.

Paper: Thawakar et al., CVPR 2026 Findings (https://arxiv.org/abs/2603.20190). Licence: Apache 2.0, as MTEB has it; the
videos are WebVid's and Something-Something's. Files: merged_webvid_ss2.json of
https://huggingface.co/datasets/omkarthawakar/CoVR-R at 5e4543c680b19238bbb773e6757563c28d5666d8, or MTEB's copy,
https://huggingface.co/datasets/whybe-choi/CoVRRVT2VRetrieval at c4c64ba85adf72c1577fcb693dee0b1aa1ac8080; for the
challenge test-set_no-labels.json of https://huggingface.co/datasets/orange-fox/CoVR-R.

Unseen: the published files were not at hand; the reader follows the code that reads them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cvr_bench.benchmarks._composed import Counted
from cvr_bench.benchmarks._retrieval_set import benchmark_files_or_copy, benchmark_task_of_set, is_benchmark_copy
from cvr_bench.tasks.composed import QueryRow, composed_task, task_videos
from cvr_bench.tasks.protocol import Protocol
from cvr_bench.tasks.task import KS, Mean, Task
from cvr_data.core.annotation_files import check_counts, find_annotation_file, read_json
from cvr_data.core.errors import CvrError
from cvr_data.core.files import id_text
from cvr_data.media.retrieval_set import RetrievalSet

ORIGIN = "https://huggingface.co/datasets/omkarthawakar/CoVR-R"
CHALLENGE = "https://huggingface.co/datasets/orange-fox/CoVR-R"
FILES = ("merged_webvid_ss2.json", "labels/merged_webvid_ss2.json")
BLIND_FILES = ("test-set_no-labels.json",)
SOURCES = ("webvid", "ss2")
ENDINGS = {"webvid": ".mp4", "ss2": ".webm"}
PUBLISHED = {"queries": 2634}
MEANS = {"R_mean": Mean(("R@1", "R@5", "R@10"))}
"""What the released code prints beside its recalls."""


@dataclass(frozen=True, kw_only=True)
class Config(Counted):
    annotations: Path
    """The folder that holds the files."""
    split: Literal["test", "challenge-test"] = "test"
    """The split to score; challenge-test has no published targets."""
    videos: Path | None = None
    """Of challenge-test: the folder of its videos, which are what is ranked; WebVid's as 112/1016223889.mp4, as answers
    name them."""


EXAMPLE = {"": (3, 5), "reference=keep": (3, 5)}


def files(config: Config) -> list[Path]:
    """Return the file of the split, or the parts of MTEB's copy."""
    if config.split == "challenge-test":
        return [find_annotation_file(config.annotations, *BLIND_FILES, origin=CHALLENGE)]
    return benchmark_files_or_copy(config.annotations, FILES, origin=ORIGIN)


def load(config: Config) -> Task:
    if config.split == "challenge-test":
        raise CvrError("covr-r: the targets of challenge-test are not published; its server scores it.")
    path, *_ = paths = files(config)
    if is_benchmark_copy(paths):
        task = benchmark_task_of_set("covr-r-test", RetrievalSet(folder=config.annotations), config.reference, ks=KS)
    else:
        rows = _rows(path, has_targets=True)
        protocol = Protocol(gallery="named", reference=config.reference)
        task = composed_task("covr-r-test", rows, task_videos(rows), protocol, means=MEANS)
    check_counts(path, config.counts, {"queries": len(task.queries)}, PUBLISHED)
    return task


def load_blind(config: Config) -> Task:
    """Return the queries of the challenge; the gallery is the videos of its release, which no file lists.

    With the folder of the videos each query is ranked against those of its own source, as participants do.

    Raises:
        CvrError: another split, no file, or no videos of a source in the folder.
    """
    if config.split != "challenge-test":
        raise CvrError(f"covr-r: {config.split} has published targets; only the challenge is blind.")
    (path,) = files(config)
    rows, name = _rows(path, has_targets=False), f"covr-r-{config.split}"
    if config.videos is None:
        return composed_task(name, rows, [], Protocol(gallery="listed"))
    of_source = {source: sorted(covr_r_benchmark_answers(config.videos, source)) for source in SOURCES}
    if missing := sorted({row.slices["source"] for row in rows} - {source for source, ids in of_source.items() if ids}):
        raise CvrError(f"{config.videos} has no videos of {missing[0]}, which end in {ENDINGS[missing[0]]}.")
    own = {source: frozenset(ids) for source, ids in of_source.items()}
    candidates = {row.query_id: own[row.slices["source"]] for row in rows}
    gallery = list(dict.fromkeys(video_id for ids in of_source.values() for video_id in ids))
    return composed_task(name, rows, gallery, Protocol(gallery="listed"), candidates=candidates)


def covr_r_benchmark_answers(videos: Path, source: str) -> dict[str, str]:
    """Video id -> how an answer names it: a video of WebVid by the folder that it lies in, too."""
    found = {}
    for path in sorted(videos.rglob(f"*{ENDINGS[source]}")):
        relative = path.relative_to(videos).with_suffix("").parts
        found[path.stem] = "/".join(relative[-2:]) if source == "webvid" else path.stem
    return found


def covr_r_query_key(source: str, entry: dict[str, Any]) -> str:
    """How a query is called here: both sources count from 1."""
    return f"{source}-{id_text(entry.get('id'))}"


def _rows(path: Path, *, has_targets: bool) -> list[QueryRow]:
    rows = []
    for source, entry in covr_r_benchmark_queries(path):
        ends = [_video(entry, name, path) for name in ("video_source", *["video_target"] * has_targets)]
        number, text = id_text(entry.get("id")), entry.get("modification_text")
        if not number or not isinstance(text, str) or not text.strip():
            raise CvrError(f"{path}: a query of {source} has no 'id' or no 'modification_text': {str(entry)[:80]}.")
        slices = {"source": source}
        rows.append(QueryRow(covr_r_query_key(source, entry), ends[0], text.strip(), tuple(ends[1:]), slices=slices))
    return rows


def covr_r_benchmark_queries(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """The queries with their source: a list of objects that have one each, or one object with both."""
    content = read_json(path)
    groups = content if isinstance(content, list) else [content]
    found = [
        (source, entry)
        for group in groups
        if isinstance(group, dict)
        for source in SOURCES
        for listed in [group.get(source)]
        for entry in (listed if isinstance(listed, list) else ())
        if isinstance(entry, dict)
    ]
    if not found:
        raise CvrError(f"{path} should hold objects with lists 'webvid' and 'ss2' of queries, found none.")
    return found


def _video(entry: dict[str, Any], name: str, path: Path) -> str:
    """The id of a video: the name of its file, without folder and ending."""
    found = id_text(entry.get(name))
    if not found:
        raise CvrError(f"{path}: the query {entry.get('id')} has no {name!r}.")
    return covr_r_video_id(found)


def covr_r_video_id(name: str) -> str:
    """The id of a video that is called with its folder, its ending, or both."""
    return name.replace("\\", "/").rpartition("/")[2].removesuffix(".mp4").removesuffix(".webm")
