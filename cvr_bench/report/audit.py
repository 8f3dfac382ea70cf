"""The part of a report about audits: what composing and time gain, and what train and test share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cvr_bench.audit.composition import LABELS
from cvr_bench.audit.record import audit_of
from cvr_bench.report.audit_tables import (
    linked_leak_table,
    report_best_audit,
    reported_common_k,
    reported_interval,
    reported_modalities,
)
from cvr_bench.report.behind_audit import AuditLists
from cvr_bench.report.scores import ScoredModel
from cvr_bench.scoring.intervals import Interval
from cvr_bench.scoring.measures import MEAN
from cvr_data.pages.stats_numbers import Linked


@dataclass(frozen=True)
class CompositionRow:
    """One model with both inputs and with one."""

    entry: ScoredModel
    composed: float
    unimodal: list[tuple[str, float]]
    """(how, mean recall) with each input alone; no name where it was not asked."""
    gaps: list[Interval]
    """Of the first recall and of the mean."""
    labels: list[tuple[float, float]]
    """(queries, percent of all) of each label at 1 and at K."""


@dataclass(frozen=True)
class TimeRow:
    """One model with its frames changed."""

    entry: ScoredModel
    recalls: list[float]
    gap: Interval


@dataclass(frozen=True)
class AuditPart:
    """The audits of the models of one group."""

    k: int
    first: str
    """Name of the first recall."""
    labels: list[str]
    composition: list[CompositionRow]
    inputs: list[str]
    """What is asked alone: text only, visual only, description only."""
    chance: list[tuple[float, float]] | None
    """The labels of a random order; None where it was not asked."""
    variants: list[str]
    time: list[TimeRow]
    leaks: list[tuple[ScoredModel, Linked]]
    links: dict[str, dict[str, str]]
    """Model -> what a number is called -> anchor of the queries behind it."""


def audit_part_of_report(entries: Sequence[ScoredModel], lists: AuditLists) -> AuditPart | None:
    """Return the audits of the models that use both inputs, else of all; None where there are none."""
    chosen = [entry for entry in entries if entry.is_composed] or entries
    audits = [(entry, audit) for entry in chosen if (audit := audit_of(entry.result)) is not None]
    if not audits:
        return None
    first = audits[0][1]
    metric = f"R@{first['ks'][0]}"
    composed = [(entry, audit) for entry, audit in audits if "gap" in audit["composition"]]
    k = reported_common_k([audit for _, audit in composed])
    kinds = reported_modalities([audit for _, audit in composed])
    links = {entry.label: lists.of_audit(entry, audit, k) for entry, audit in audits}
    return AuditPart(
        k=k,
        first=metric,
        labels=[f"{label.replace('_', ' ')} @{one}" for one in sorted({1, k}) for label in LABELS],
        composition=[_composition(entry, audit, metric, k, kinds) for entry, audit in composed],
        inputs=[kind.replace("-", " ") for kind in kinds],
        chance=next(
            (
                _composition_counts(audit["composition"]["chance_at"], audit["queries"], k)
                for _, audit in composed
                if "chance_at" in audit["composition"]
            ),
            None,
        ),
        variants=list(first["temporal"]["recalls"]),
        time=[
            TimeRow(
                entry, [recalls[MEAN] for recalls in part["recalls"].values()], reported_interval(part["gap"][MEAN])
            )
            for entry, part in ((entry, audit["temporal"]) for entry, audit in audits)
        ],
        leaks=[
            (entry, linked_leak_table(audit["leaks"], links[entry.label]))
            for entry, audit in audits
            if audit.get("leaks")
        ],
        links=links,
    )


def _composition(
    entry: ScoredModel, audit: Mapping[str, Any], metric: str, k: int, kinds: Sequence[str]
) -> CompositionRow:
    part = audit["composition"]
    return CompositionRow(
        entry=entry,
        composed=part["recalls"]["composed"][MEAN],
        unimodal=[report_best_audit(part, kind) for kind in kinds],
        gaps=[reported_interval(part["gap"][name]) for name in (metric, MEAN)],
        labels=_composition_counts(part["labels_at"], audit["queries"], k),
    )


def _composition_counts(counts: Mapping[str, Mapping[str, float]], whole: int, k: int) -> list[tuple[float, float]]:
    """(queries, percent of all) of each label at 1 and at K; at K alone where an older audit did not count at 1."""
    found = [counts.get(str(one), {}) for one in sorted({1, k})]
    return [(of.get(label, 0), 100 * of.get(label, 0) / whole) for of in found for label in LABELS]
