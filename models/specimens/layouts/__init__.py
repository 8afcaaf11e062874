"""Where things stand on each model (`models.specimens.layout` reads these files)."""
