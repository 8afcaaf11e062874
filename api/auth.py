"""Who asks: the app's backend, by its Bearer secret. The phone's own proof (design, decision 7) is not looked at yet."""

from __future__ import annotations

from typing import Annotated

from anyio import to_thread
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.manners import peer
from api.problems import Problem
from pipeline.records.clients import Client, authenticate

REALM = 'Bearer realm="apoyo"'
MAX_SECRET = 200
_scheme = HTTPBearer(auto_error=False, description="The secret of the app's backend.")


async def authenticated(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_scheme)]
) -> Client:
    """The client, whose request is counted. Raises `Problem` (`unauthorized`, `too_many_requests`)."""
    services = request.app.state.services
    client = None
    if credentials is not None and 0 < len(credentials.credentials) <= MAX_SECRET:
        client = await to_thread.run_sync(authenticate, services.storage.engine, credentials.credentials)
    if client is None:
        # Only those who fail share the peer's quota: behind an ingress, one peer is everybody.
        request.state.quota = services.limiter.take(peer(request.scope))
        challenge = REALM if credentials is None else f'{REALM}, error="invalid_token"'
        raise Problem("unauthorized", "Send `Authorization: Bearer SECRET` with the secret that the operator gave you.",
                      headers={"WWW-Authenticate": challenge})
    request.state.quota = services.limiter.look(client.id)
    request.state.quota = services.limiter.take(client.id)
    return client
