"""What happened, judged from the events alone: measures, invariants, expectations, coverage, verdict."""
