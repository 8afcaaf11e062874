"""Trains the networks of ours, on drawn material, with seeds. Needs the extra `train`; nothing imports this room."""
