"""What HTML pages share: charts, embedded clips, cards of triplets, the style sheet and the script."""
