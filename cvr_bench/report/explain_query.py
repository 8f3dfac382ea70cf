"""One query of a result, seen whole: reference, text, targets with their ranks, and the ten videos ranked best.

    query = explain_query(Path("results/fdca-quickstart"), "3f2a")
    for line in query_report_lines(query): ...

Only files of the result and of the triplets it was scored on are read; nothing is scored again.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from cvr_bench.report.dataset import reported_triplets, reported_triplets_and_videos
from cvr_bench.results.result import Result, read_result
from cvr_bench.results.single_inputs import result_ranks_by_input
from cvr_data.core.errors import CvrError, first_few
from cvr_data.pages.cards import captions_on_page, media_on_page
from cvr_data.pages.clips import ClipShelf


@dataclass(frozen=True)
class RankedVideo:
    """A gallery video and where it stands."""

    place: int
    video_id: str
    score: float | None
    """None for a target beyond the ten best, whose score is not kept."""
    is_target: bool
    caption: str


@dataclass(frozen=True, kw_only=True)
class ExplainedQuery:
    """What a model did with one query."""

    model: str
    data: str
    query_id: str
    reference_id: str
    reference_caption: str
    modification: str
    rank: int
    alone: dict[str, int]
    """Input -> rank of the best target by that input alone, where the result was audited."""
    reference_rank: int | None
    """Where the reference would stand if it were ranked."""
    ties: int
    allowed: int
    slices: dict[str, str]
    top: list[RankedVideo]
    targets: list[RankedVideo]
    clips: ClipShelf


def explain_query(result: Path, query: str, *, videos: Path | None = None) -> ExplainedQuery:
    """Return what a result says of a query, named by its id or the beginning of it.

    Raises:
        CvrError: no such result or query, or several ids begin so.
    """
    found = read_result(result)
    row = _query_row(found, query)
    data = reported_triplets([found])
    triplets, table = (None, None) if data is None else reported_triplets_and_videos(data, videos=videos)
    captions = {} if triplets is None else captions_on_page(triplets, table)
    scores = dict(zip(row["top"], row["top_scores"], strict=True))
    targets = set(row["target_ids"])
    return ExplainedQuery(
        model=found.model,
        data=found.record["task"]["name"],
        query_id=row["query_id"],
        reference_id=row["reference_id"] or "",
        reference_caption=captions.get(row["reference_id"], ""),
        modification=row["modification"] or "",
        rank=row["rank"],
        alone={name: ranks[row["query_id"]] for name, ranks in result_ranks_by_input(found).items()},
        reference_rank=row["reference_rank"],
        ties=row["ties"],
        allowed=row["allowed"],
        slices={name: row[name] for name in found.slice_names if row[name] is not None},
        top=[
            RankedVideo(place, name, scores[name], name in targets, captions.get(name, ""))
            for place, name in enumerate(row["top"], start=1)
        ],
        targets=[
            RankedVideo(place, name, scores.get(name), True, captions.get(name, ""))
            for name, place in zip(row["target_ids"], row["target_ranks"], strict=True)
        ],
        clips=ClipShelf(media_on_page(table)),
    )


def query_report_lines(query: ExplainedQuery) -> list[str]:
    """Return the query as lines of text."""
    slices = ", ".join(f"{name} {value}" for name, value in query.slices.items())
    width = max(len(item.video_id) for item in (*query.top, *query.targets))
    names = {item.video_id: f"{item.video_id:<{width}}  {item.caption}" for item in (*query.top, *query.targets)}
    shown = [f"  {'>' if item.is_target else ' '} {item.place:>3}  {item.score:7.4f}  {names[item.video_id]}".rstrip()
             for item in query.top]  # fmt: skip
    beyond = [item for item in query.targets if item.score is None]
    return [
        f"query {query.query_id} of {query.data}, ranked by {query.model}: target at {query.rank} of {query.allowed}"
        + (f", tied with {query.ties}" if query.ties else ""),
        f"  reference     {query.reference_id}  {query.reference_caption}".rstrip(),
        f"  modification  {query.modification}",
        *(
            [f"  by one input  {', '.join(f'{name} alone {rank}' for name, rank in query.alone.items())}"]
            if query.alone
            else []
        ),
        *([f"  reference at  {query.reference_rank}, if it were ranked"] if query.reference_rank else []),
        *([f"  slices        {slices}"] if slices else []),
        "  place  score  video ('>' answers the query)",
        *shown,
        *(["  ..."] if beyond else []),
        *(f"  > {item.place:>3}         {names[item.video_id]}".rstrip() for item in beyond),
    ]


def query_report_html(query: ExplainedQuery) -> str:
    """Return a page with the clips, which loads nothing from outside itself."""
    from cvr_bench.report.page import report_environment  # audits and torch, which the words on the screen do not need

    made = report_environment(autoescape=True)
    made.globals.update(clip_of=query.clips.has, uri_of=query.clips.uris.get, ratio_of=query.clips.ratios.get)
    return made.get_template("query.html.j2").render(query=query)


def query_report_json(query: ExplainedQuery) -> str:
    """Return the query as JSON, without clips."""
    content: dict[str, Any] = {name: value for name, value in vars(query).items() if name != "clips"}
    for name in ("top", "targets"):
        content[name] = [vars(item) for item in content[name]]
    return json.dumps(content, indent=1, ensure_ascii=False)


def _query_row(result: Result, query: str) -> dict[str, Any]:
    ids = result.ranks.column("query_id")
    found = result.ranks.filter(pc.starts_with(ids, query)).to_pylist()
    exact = [row for row in found if row["query_id"] == query]
    if len(found) > 1 and not exact:
        names = [row["query_id"] for row in found]
        raise CvrError(f"{len(found)} queries of {result.path} begin with {query!r}: {first_few(names)}.")
    if not found:
        raise CvrError(f"{result.path} has no query {query!r}; its ids are in {result.path / 'ranks.parquet'}.")
    return (exact or found)[0]
