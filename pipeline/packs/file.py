"""A pack as a file: a zip with captures, pictures of the evidence, the verdict, what was frozen, and a signature over all."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pipeline.blobs.files import PRIVATE_FILE, read_or_make_secret
from pipeline.domain.capture import Capture, Part
from pipeline.domain.support import SupportInfo
from pipeline.errors import BadInput
from pipeline.packs.frozen import Frozen, of_bytes, to_bytes

FROZEN, SIGNATURE, VERDICT, INFO = "pack.json", "signature.json", "verdict.json", "captures/support.json"
_NAME = re.compile(r"(captures|evidence)/[a-z0-9_]{1,40}\.(json|jpg|png|bin)|pack\.json|signature\.json|verdict\.json")
MOST_FILES, MOST_BYTES = 64, 96 << 20
"""Four captures as the door lets them in (25 MiB), and pictures of them, with room."""
_MOMENT = (1980, 1, 1, 0, 0, 0)
"""The first that a zip can write: a pack's bytes do not depend on when it was made."""


@dataclass(frozen=True, slots=True)
class Pack:
    """signed_by: the SHA-256 of the public key whose signature holds, in hex."""

    frozen: Frozen
    capture: Capture
    verdict: Mapping[str, Any]
    signed_by: str


def signing_key(path: Path) -> Ed25519PrivateKey:
    """The key in `path` (32 bytes as hex, mode 0600), made if absent. Raises `Misconfigured`."""
    made = read_or_make_secret(path, lambda: Ed25519PrivateKey.generate().private_bytes_raw().hex())
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(made))


def write_pack(path: Path, frozen: Frozen, capture: Capture, info: bytes, verdict: Mapping[str, Any],
               pictures: Mapping[str, bytes], key: Ed25519PrivateKey) -> None:
    """frozen: `files` is filled in here.  info: support.json as it came.  pictures: by name under evidence/. Mode 0600."""
    files = {f"captures/{part}.{kind_of(data)}": data for part in Part if (data := capture.part(part)) is not None}
    files |= {INFO: info, VERDICT: _json(verdict), **{f"evidence/{name}": data for name, data in pictures.items()}}
    frozen = replace(frozen, files={name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())})
    sealed = to_bytes(frozen)
    public = key.public_key().public_bytes_raw()
    signature = {"algorithm": "Ed25519", "over": FROZEN, "key": public.hex(), "signature": key.sign(sealed).hex()}
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as pack:
        for name, data in ((FROZEN, sealed), (SIGNATURE, _json(signature)), *sorted(files.items())):
            entry = zipfile.ZipInfo(name, _MOMENT)
            entry.compress_type = zipfile.ZIP_DEFLATED if name.endswith(".json") else zipfile.ZIP_STORED
            entry.external_attr = PRIVATE_FILE << 16
            pack.writestr(entry, data)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE), "wb") as file:
        file.write(whole.getvalue())
    temporary.replace(path)


def read_pack(path: Path) -> Pack:
    """Opens a pack and holds every byte against its signature. Nothing is unpacked to the disk.

    Raises `BadInput`: `bad_pack` for what is none, `pack_changed` where a file, the list of files or the signature does not hold.
    """
    files = _entries(path)
    missing = [name for name in (FROZEN, SIGNATURE, VERDICT, INFO) if name not in files]
    if missing:
        raise BadInput(f"it has no {missing[0]}: it is no evidence pack", code="bad_pack")
    signed_by = _signer(files[FROZEN], files[SIGNATURE])
    frozen = of_bytes(files[FROZEN])
    found = {name: hashlib.sha256(data).hexdigest() for name, data in files.items() if name not in (FROZEN, SIGNATURE)}
    if found != dict(frozen.files):
        differing = sorted({*found.items()} ^ {*frozen.files.items()})[0][0]
        raise BadInput(f"{differing} is not what was signed", code="pack_changed")
    pictures = {name.partition("/")[2].partition(".")[0]: data for name, data in files.items() if name.startswith("captures/")}
    front, back, selfie, signature = (pictures.get(part.value) for part in Part)
    capture = Capture(front, back, selfie, signature, SupportInfo.parse(files[INFO]))
    return Pack(frozen, capture, json.loads(files[VERDICT]), signed_by)


def kind_of(data: bytes) -> str:
    """The ending of a picture's name, by its first bytes."""
    return "jpg" if data.startswith(b"\xff\xd8") else "png" if data.startswith(b"\x89PNG") else "bin"


def _signer(signed: bytes, signature: bytes) -> str:
    try:
        told = json.loads(signature)
        public = bytes.fromhex(told["key"])
        Ed25519PublicKey.from_public_bytes(public).verify(bytes.fromhex(told["signature"]), signed)
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput("signature.json holds no Ed25519 signature", code="bad_pack") from error
    except InvalidSignature as error:
        raise BadInput("pack.json is not what was signed", code="pack_changed") from error
    return hashlib.sha256(public).hexdigest()


def _entries(path: Path) -> dict[str, bytes]:
    """All files of the zip, within bounds that hold before anything is unpacked."""
    try:
        with zipfile.ZipFile(path) as pack:
            entries = pack.infolist()
            names = [entry.filename for entry in entries]
            if len(entries) > MOST_FILES or sum(entry.file_size for entry in entries) > MOST_BYTES:
                raise BadInput(f"more than {MOST_FILES} files or {MOST_BYTES >> 20} MiB: no evidence pack", code="bad_pack")
            if len(set(names)) < len(names) or not all(_NAME.fullmatch(name) for name in names):
                raise BadInput("it holds a file that no evidence pack has", code="bad_pack")
            found = {}
            for entry in entries:
                with pack.open(entry) as file:
                    found[entry.filename] = file.read(entry.file_size + 1)
            return found
    except (zipfile.BadZipFile, OSError, RuntimeError, EOFError) as error:
        raise BadInput(f"it does not open as an evidence pack: {type(error).__name__}", code="bad_pack") from error


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode()
