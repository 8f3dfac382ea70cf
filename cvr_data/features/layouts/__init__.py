"""Layouts in which others keep features on disk, one file each."""

from cvr_data.core.registry import Family

FEATURE_LAYOUTS = Family(__name__)
