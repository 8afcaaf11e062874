"""The only room that knows Ray: the embedded node, the actor around a worker, and who keeps the actors alive."""
