"""Retrieval models, one file each."""

from cvr_data.core.registry import Family

MODELS = Family(__name__)
