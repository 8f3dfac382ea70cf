"""From what `--data` names to a task, features and training data."""
