"""Measures what thresholds are set by: `python -m models.evaluation.<topic>`. Prints counts, writes calibration where asked."""
