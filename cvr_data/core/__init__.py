"""What everything stands on: artifacts, stages, jobs, settings, errors. Knows no video."""
