"""HN-NCE and cross-entropy of CoVR, with the axis its code divides along."""

import re

import torch

from cvr_bench.models.parts.losses import hn_nce, info_nce
from tests.golden import Arrays, Comparison

HN_NCE = re.compile(r"loss\.hn_nce_alpha([\d.]+)_beta([\d.]+)_temp([\d.]+)")
CROSS_ENTROPY = re.compile(r"loss\.cross_entropy_temp([\d.]+)")
TOLERANCE = 1e-5


def claims(arrays: Arrays) -> bool:
    """Return whether the file is of this kind."""
    return any(map(covers, arrays))


def covers(name: str) -> bool:
    """Return whether an array belongs to this kind."""
    return name.startswith("loss.")


def compare(arrays: Arrays) -> list[Comparison]:
    """Return each loss of the file; its name says alpha, beta and temperature."""
    similarity_BB = torch.from_numpy(arrays["loss.query"]) @ torch.from_numpy(arrays["loss.target"]).T
    compared = []
    for name, expected in arrays.items():
        if parts := HN_NCE.fullmatch(name):
            alpha, beta, temperature = map(float, parts.groups())
            found = hn_nce(similarity_BB / temperature, alpha=alpha, beta=beta, reference_axis=True)
        elif parts := CROSS_ENTROPY.fullmatch(name):
            found = info_nce(similarity_BB / float(parts[1]))
        else:
            continue
        tolerance = TOLERANCE * max(1.0, float(abs(expected)))
        compared.append(Comparison(name=name, expected=expected, found=found.numpy(), tolerance=tolerance))
    return compared
