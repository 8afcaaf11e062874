"""Trains the two line readers on drawn lines: `python -m models.training.readers mrz|fields`."""
