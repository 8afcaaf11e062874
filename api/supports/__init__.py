"""`/v1/supports`: take one in, and tell how it stands."""
