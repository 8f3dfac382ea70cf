"""Captioned videos -> text-to-video or video-to-text retrieval.

Every text is a query of its own (or a gallery item of its own, in the other direction, where the best placed text of a
video counts). A paragraph is all texts of a video, joined with a space in their order. The sum of recalls (RSum) of
some papers is three times `mean`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from cvr_bench.tasks.composed import task_video_item
from cvr_bench.tasks.protocol import Protocol
from cvr_bench.tasks.task import Item, Query, Task
from cvr_data.core.errors import CvrError, first_few

Direction = Literal["text-to-video", "video-to-text"]
Unit = Literal["sentence", "paragraph"]
Texts = Literal["captions", "sets"]
KS = (1, 5, 10)
"""The recalls of text-video retrieval."""


def task_video_paragraphs(captions: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return one text per video: its captions joined with a space."""
    return {video_id: [" ".join(text.strip() for text in texts)] for video_id, texts in captions.items()}


def listed_task_captions(
    captions: Mapping[str, Sequence[str]], video_ids: Sequence[str], *, listing: Path, beside: str
) -> dict[str, Sequence[str]]:
    """Return the captions of the videos of a list, in its order; `beside` is where they should be.

    Raises:
        CvrError: a listed video has none.
    """
    if lacking := [video_id for video_id in video_ids if not captions.get(video_id)]:
        raise CvrError(f"{listing} lists {first_few(lacking)}, which has no caption in {beside}.")
    return {video_id: captions[video_id] for video_id in video_ids}


def text_video_task(
    name: str, captions: Mapping[str, Sequence[str]], direction: Direction, unit: Unit, texts: Texts = "captions"
) -> Task:
    """Return the task of ranking the videos for each text, or for each video the texts, one by one or in sets."""
    texts_of = task_video_paragraphs(captions) if unit == "paragraph" else captions
    texts_by_id = {
        f"{video_id}#{number}": (video_id, text)
        for video_id, of_video in texts_of.items()
        for number, text in enumerate(of_video)
    }
    title, videos = name, [task_video_item(video_id) for video_id in texts_of]
    queries = [Query(item.item_id, item, None) for item in videos]
    if direction == "text-to-video":
        queries = [Query(text_id, None, text) for text_id, (_, text) in texts_by_id.items()]
        gallery, targets = videos, {text_id: {video_id} for text_id, (video_id, _) in texts_by_id.items()}
    elif texts == "sets":
        title = f"{name} (video to text, caption sets)"
        gallery = [Item(f"{video_id}#", texts=tuple(of_video)) for video_id, of_video in texts_of.items()]
        targets = {video_id: {f"{video_id}#"} for video_id in texts_of}
    else:
        title = f"{name} (video to text)"
        gallery = [Item(text_id, text=text) for text_id, (_, text) in texts_by_id.items()]
        targets = {video: {f"{video}#{number}" for number in range(len(given))} for video, given in texts_of.items()}
    return Task(
        name=title,
        queries=queries,
        gallery=gallery,
        targets={query_id: frozenset(ids) for query_id, ids in targets.items()},
        ks=KS,
        protocol=Protocol(
            gallery="listed",
            reference="keep",
            text_template="$caption",
            direction=direction,
            unit="set" if texts == "sets" and direction == "video-to-text" else unit,
        ),
    )
