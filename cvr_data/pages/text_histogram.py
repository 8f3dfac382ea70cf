"""A histogram in one line of text, for the terminal: how values lie, and where the bounds cut them."""

import numpy as np

from cvr_data.pages.charts import chart_number
from cvr_data.pages.histogram import chart_bin_counts
from cvr_data.videos.filter_videos import FilterValues

BLOCKS = " ▁▂▃▄▅▆▇█"
BOUND = "|"


def chart_in_text(found: FilterValues) -> str:
    """Return the column's name, its lowest value, a bar per bin with the bounds between, its highest, and the words."""
    words = ", ".join(text for _, text in found.bounds)
    told = f"; {found.unknown} unknown" if found.unknown else ""
    values = np.concatenate([found.kept, found.lost])
    if not len(values):
        return f"{found.column}: nothing known ({words}){told}"
    if values.min() == values.max():
        return f"{found.column} {chart_number(float(values[0]))} ({words}){told}"
    counts = chart_bin_counts(values.tolist())
    highest = max(counts.kept)
    bars = [BLOCKS[-(-count * (len(BLOCKS) - 1) // highest)] for count in counts.kept]
    for value, _ in sorted(found.bounds, reverse=True):
        if counts.edges[0] <= value <= counts.edges[-1]:
            bars.insert(int(np.searchsorted(counts.edges, value)), BOUND)
    low, high = (chart_number(round(float(end), 3)) for end in (values.min(), values.max()))
    return f"{found.column} {low} {''.join(bars)} {high} ({words}){told}"
