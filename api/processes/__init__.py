"""`/v1/processes`: the processes that supports may name, as they are in force."""
