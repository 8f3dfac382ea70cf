"""Files for test servers."""
