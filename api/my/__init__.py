"""`/v1/my`: what a citizen's own phone may ask, by its token and a proof of its key."""
