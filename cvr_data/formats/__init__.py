"""Published layouts of triplets, one file each, both ways."""

from cvr_data.core.registry import Family

FORMATS = Family(__name__)
