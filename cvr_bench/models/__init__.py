"""Retrieval models, one file each."""

from cvr_data.registry import Family

MODELS = Family(__name__)
