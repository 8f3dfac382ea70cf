"""Ask an engine, through the cache."""
