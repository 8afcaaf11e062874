"""`/v1/webhooks`: where a client is told of what happens to its supports, and how it is told (Standard Webhooks)."""
