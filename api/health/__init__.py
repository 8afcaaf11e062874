"""`/livez`, `/readyz`, `/metrics`: for whoever runs the service. Open, since they tell counts and nothing of a support."""
