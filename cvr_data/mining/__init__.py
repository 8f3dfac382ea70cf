"""Pair-mining strategies, one file each."""

from cvr_data.registry import Family

MINING = Family(__name__)
