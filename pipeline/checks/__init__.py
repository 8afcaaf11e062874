"""The checks: pure functions from evidence and context to one `Check` each. `pipeline.decide` lists and weighs them."""
