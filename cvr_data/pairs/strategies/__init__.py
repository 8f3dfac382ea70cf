"""Pair-mining strategies, one file each."""

from cvr_data.core.registry import Family

MINING = Family(__name__)
