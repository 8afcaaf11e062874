"""Who asks: the app's backend or an officer, by a Bearer secret. The phone's own proof is not looked at yet."""

from __future__ import annotations

from typing import Annotated

from anyio import to_thread
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.manners import peer
from api.problems import Problem
from pipeline.records.clients import Client, Role, authenticate

REALM = 'Bearer realm="apoyo"'
MAX_SECRET = 200
_scheme = HTTPBearer(auto_error=False, description="The secret of the app's backend, or of an officer.")


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


Authenticated = Annotated[Client, Depends(authenticated)]
"""Whoever holds a secret."""


async def _backend(client: Authenticated) -> Client:
    """Raises `Problem` (`forbidden`) for an officer."""
    return _in_role(client, Role.BACKEND, "Only a backend does this: an officer reads and decides.")


async def _officer(client: Authenticated) -> Client:
    """Raises `Problem` (`forbidden`) for a backend."""
    return _in_role(client, Role.OFFICER, "Only an officer does this: `apoyo clients add NAME --role officer` makes the secret.")


def _in_role(client: Client, role: Role, otherwise: str) -> Client:
    if client.role is not role:
        raise Problem("forbidden", otherwise)
    return client


Backend = Annotated[Client, Depends(_backend)]
Officer = Annotated[Client, Depends(_officer)]


def owner(client: Client) -> str | None:
    """Whose supports this client may see: its own; an officer's are all (None)."""
    return None if client.role is Role.OFFICER else client.id
