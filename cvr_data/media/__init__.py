"""Files of clips and images: decode, probe, look whether they are still there, hash."""
