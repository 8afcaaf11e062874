"""`/v1/audit`: the trail, for who checks it from outside."""
