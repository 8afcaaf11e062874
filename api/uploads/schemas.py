"""What the API takes and promises of an upload past it, for /openapi.json."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from pipeline.domain.upload import MAX_PHOTO_BYTES, MAX_SIGNATURE_BYTES

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class AnnouncedPart(BaseModel, extra="forbid"):
    """size, sha256: of the picture. sealed_sha256: of what will be put, which is 31 bytes longer (docs/api.md)."""

    size: int = Field(ge=1, le=MAX_PHOTO_BYTES)
    sha256: Sha256
    sealed_sha256: Sha256


class AnnouncedSignature(AnnouncedPart):
    """The same, of a drawing."""

    size: int = Field(ge=1, le=MAX_SIGNATURE_BYTES)


class AnnouncedParts(BaseModel, extra="forbid"):
    """All four, always."""

    front: AnnouncedPart
    back: AnnouncedPart
    selfie: AnnouncedPart
    signature: AnnouncedSignature


class UploadBody(BaseModel, extra="forbid"):
    """key: 32 random bytes in base64url, new for each support, by which the parts are sealed."""

    key: str = Field(pattern="^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$")
    parts: AnnouncedParts


class PartAddress(BaseModel):
    """Where one part is put: by this method, with these headers as they stand, and no others of the store's."""

    method: Literal["PUT"] = "PUT"
    url: str
    headers: dict[str, str]


class PartAddresses(BaseModel):
    front: PartAddress
    back: PartAddress
    selfie: PartAddress
    signature: PartAddress


class PlannedUpload(BaseModel):
    """The answer: put the parts, then commit by `POST /v1/supports`."""

    id: str = Field(description="The upload's; the support's too, once it is committed.")
    expires_at: datetime = Field(description="Until when addresses and commit hold.")
    parts: PartAddresses
