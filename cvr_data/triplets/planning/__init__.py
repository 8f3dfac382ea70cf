"""Plans a build: a pilot of the real stages says what the whole will yield, cost, and be worth."""
