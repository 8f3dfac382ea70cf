"""A plan as lines to read."""

from collections.abc import Iterator, Mapping
from typing import Any


def triplet_build_plan_text(record: Mapping[str, Any]) -> list[str]:
    """Return what a plan found, as lines."""
    pilot = record["pilot"]
    lines = [f"pilot: {pilot['pairs']} of {record['pairs']} pairs, drawn with seed {pilot['seed']}"]
    lines += ["", "pairs (counted of the whole corpus, not estimated)"]
    for step in record["mined"]:
        dropped = ", ".join(f"{reason} {count}" for reason, count in step["dropped"].items()) or "none"
        lines.append(f"  {step['step']:<20}{step['out']:>9}  dropped: {dropped}")
    return [*lines, "", *_yield_lines(record), "", *_purity_lines(record), "", *_cost_lines(record["costs"])]


def _yield_lines(record: Mapping[str, Any]) -> Iterator[str]:
    found = record["yield"]
    kept, triplets = found["kept"], found["triplets"]
    yield f"texts and triplets ({found['texts']} texts of the pilot; 95 % intervals)"
    for step, reasons in found["dropped"].items():
        for reason, share in reasons.items():
            yield f"  dropped at {step + ':':<18}{reason:<22}{_percent(share)}"
    yield f"  {'kept':<51}{_percent(kept)}"
    splits = ", ".join(f"{split} {count}" for split, count in found["splits"].items()) or "none"
    value, low, high = (f"{triplets[end]:.0f}" for end in ("value", "low", "high"))
    yield f"  the whole: {value} triplets of mined pairs, {low} to {high}"
    yield f"  of the pilot: {splits}; {found['further']} rows of further answers beside them"


def _percent(share: Mapping[str, float]) -> str:
    return f"{100 * share['value']:6.1f} %  {100 * share['low']:.1f} to {100 * share['high']:.1f}"


def _purity_lines(record: Mapping[str, Any]) -> Iterator[str]:
    worth = record["purity"]
    if worth["by"] is None:
        yield (
            f"purity: unknown, nobody judged the {worth['kept']} triplets of the pilot; cvr review "
            f"{record['pilot']['folder']}/triplets, then --judgments, or --judge-backend"
        )
        return
    who = "people" if worth["by"] == "people" else "the judge, a language model and no person"
    yield (
        f"purity: {_percent(worth['share']).strip()} at {100 * worth['level']:.4g} %, by {who} "
        f"({worth['judged']} of {worth['kept']} triplets judged)"
    )
    if worth["wanted"] is None:
        return
    yield from _cut_lines(record)


def _cut_lines(record: Mapping[str, Any]) -> Iterator[str]:
    worth, wanted = record["purity"], f"{100 * record['purity']['wanted']:g} %"
    cut = worth.get("cut")
    if worth["verdict"] == "met" and cut is None:
        yield f"  wanted {wanted}: met by all texts, nothing has to be cut"
        return
    if cut is not None:
        about, kept = cut["cut"], cut["kept"]
        left = {end: kept[end] * record["yield"]["triplets"]["value"] for end in ("value", "low", "high")}
        yield (
            f"  cut: {about['score']} at {about['side']} {about['bound']:g}: purity {_percent(cut['purity']).strip()} "
            f"(on the {cut['purity']['rows']} that it was not chosen on)"
        )
        yield (
            f"  which costs {100 * (1 - kept['value']):.1f} % of the triplets: {left['value']:.0f} stay, "
            f"{left['low']:.0f} to {left['high']:.0f}"
        )
    told = {
        "met": "met by the cut",
        "open": "not shown yet: judge more, or draw more pairs",
        "not_reachable": "beyond what any cut of these scores reaches: change the filters, the prompt or the backend",
    }
    yield f"  wanted {wanted}: {told[worth['verdict']]}"
    yield from (f"  take: {command}" for command in record["commands"])


def _cost_lines(costs: Mapping[str, Any]) -> Iterator[str]:
    yield "the whole corpus, after the pairs"
    yield f"  time       about {_time(costs['seconds'])}, in one process"
    if costs["requests"] is None:
        yield "  model      none is asked"
    else:
        yield f"  requests   about {costs['requests']}, tokens {costs['tokens_in']} in, {costs['tokens_out']} out"
        engine, hours = (costs[f"{name}_hours"] for name in ("engine", "gpu"))
        where = f" on {costs['runs_on']}" if costs["runs_on"] else ""
        shown = "unknown" if engine is None else f"about {engine:.3g} hours{where}"
        of_gpu = "unknown (give --tokens-per-s)" if hours is None else f"about {hours:.3g}"
        yield f"  model      {shown}; GPU-hours {of_gpu}"
    yield f"  disk       about {costs['bytes'] / 1e6:.1f} MB"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
