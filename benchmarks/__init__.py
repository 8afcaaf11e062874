"""Measurements: stages, accuracy, and what a glue of good libraries costs. Raw JSON and a page under results/."""
