"""Who asks, by a secret, a signed assertion or a certificate, and whether the role may. A phone's: `identity.device_proof`."""

from __future__ import annotations

from typing import Annotated, Any

from anyio import to_thread
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.identity.client_proof import ClientProofs
from api.manners import peer
from api.problems import Problem
from pipeline.errors import BadToken
from pipeline.records.clients import SCOPES, Client, Role, Scope, authenticate

REALM = 'Bearer realm="apoyo"'
MAX_SECRET = 200
DOTS = 2
"""Of a signed assertion; a secret has none."""
_scheme = HTTPBearer(auto_error=False, description="A client's secret, or an assertion signed by its key.")


async def authenticated(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_scheme)]
) -> Client:
    """The client, whose request is counted. Raises `Problem` (`unauthorized`, `too_many_requests`)."""
    services = request.app.state.services
    proofs: ClientProofs = services.clients
    client, wrong = None, ""
    certificate = proofs.certificate_of(request) if credentials is None else None
    try:
        if credentials is not None and credentials.credentials.count(".") == DOTS:
            client = await to_thread.run_sync(proofs.by_assertion, credentials.credentials)
        elif credentials is not None and 0 < len(credentials.credentials) <= MAX_SECRET:
            client = await to_thread.run_sync(authenticate, services.storage.engine, credentials.credentials)
        elif certificate is not None:
            client = await to_thread.run_sync(proofs.by_certificate, certificate)
    except BadToken as error:
        wrong = f" Of what was sent: {error.detail}."
    if client is None:
        # Only those who fail share the peer's quota: behind an ingress, one peer is everybody.
        request.state.quota = services.limiter.take(peer(request.scope))
        challenge = REALM if credentials is None else f'{REALM}, error="invalid_token"'
        raise Problem("unauthorized", "Send `Authorization: Bearer` with the secret that the operator gave you, or with an "
                                      f"assertion that your key signs (docs/api.md).{wrong}",
                      headers={"WWW-Authenticate": challenge})
    request.state.quota = services.limiter.look(client.id)
    request.state.quota = services.limiter.take(client.id)
    return client


def _needs(scope: Scope) -> Any:
    """What a route declares that asks for this scope. The dependency raises `Problem` (`unauthorized`, `forbidden`)."""
    roles = " or ".join(role.value for role in Role if scope in SCOPES[role])

    async def allowed(client: Annotated[Client, Depends(authenticated)]) -> Client:
        if not client.may(scope):
            raise Problem("forbidden", f"Only this role may: {roles}. `apoyo clients add NAME --role …` makes its secret.")
        return client

    return Depends(allowed)


SendsSupports = Annotated[Client, _needs(Scope.SEND)]
ReadsSupports = Annotated[Client, _needs(Scope.READ)]
ListsSupports = Annotated[Client, _needs(Scope.LIST)]
Decides = Annotated[Client, _needs(Scope.DECIDE)]
Activates = Annotated[Client, _needs(Scope.ACTIVATE)]
HasWebhooks = Annotated[Client, _needs(Scope.HOOKS)]
ReadsRules = Annotated[Client, _needs(Scope.RULES)]
ReadsTrail = Annotated[Client, _needs(Scope.TRAIL)]
Erases = Annotated[Client, _needs(Scope.ERASE)]
ReadsReceipts = Annotated[Client, _needs(Scope.RECEIPTS)]


def owner(client: Client) -> str | None:
    """Whose supports this client may see: a backend its own, others all (None)."""
    return client.id if client.role is Role.BACKEND else None
