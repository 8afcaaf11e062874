"""What every implementation of a seam must do, and what the HTTP contract says."""
