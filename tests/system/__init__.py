"""Real processes: API, workers in Ray actors, signals, the command line on drawn specimens."""
