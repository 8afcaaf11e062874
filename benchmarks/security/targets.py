"""Each parser of what strangers send, as a function of bytes: it takes them whole or refuses them by its own error.

What it took holds what it promises. Hypothesis throws a little at them in the tests, `python -m scripts.fuzz` more.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import anyio

from api.identity import jose
from api.multipart import boundary_of, read_parts
from api.problems import KINDS, Problem
from benchmarks.security.models import good_model
from benchmarks.security.pictures import SIGNATURE, chunk, exif_loop, png, progressive
from models.onnx_file import check_onnx
from pipeline.domain.capture import Part
from pipeline.domain.curp import Curp
from pipeline.domain.curp import check_digit as curp_digit
from pipeline.domain.elector_key import ElectorKey
from pipeline.domain.identifiers import Malformed
from pipeline.domain.jpeg_markers import exif_orientation
from pipeline.domain.mrz import Td1, correct
from pipeline.domain.qr import MAX_LENGTH, ShortQr, SmallQr, large_side
from pipeline.domain.support import MAX_POINTS, SupportInfo
from pipeline.domain.upload import CODES, MAX_PHOTO_PIXELS, check_upload
from pipeline.errors import BadInput, BadPicture, BadSupportInfo, BadToken, BadUpload, Misconfigured
from pipeline.records.processes import read_process_file
from pipeline.stages.picture_header import read_header
from pipeline.stages.png_pixels import only_pixels


@dataclass(frozen=True, slots=True)
class Target:
    """seeds: right ones, from which what is thrown is made."""

    take: Callable[[bytes], bool]
    """Whether the bytes were taken. Raises only where the parser is at fault."""
    seeds: tuple[bytes, ...]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _small_qr(data: bytes) -> bool:
    try:
        read = SmallQr.parse(_text(data))
    except Malformed:
        return False
    # what is not ASCII digits of the one host never comes so far, and nothing of it is a link of another's
    assert read.url().removeprefix("http") == _text(data).removeprefix("https").removeprefix("http")
    assert len(data) <= MAX_LENGTH and data.isascii()
    return True


def _short_qr(data: bytes) -> bool:
    try:
        return ShortQr.parse(_text(data)).number.isascii()
    except Malformed:
        return False


def _large_qr(data: bytes) -> bool:
    side = large_side(data)
    assert side in (None, "left", "right")
    return side is not None


def _curp(data: bytes) -> bool:
    try:
        read = Curp.parse(_text(data))
    except Malformed:
        return False
    assert read.text[17] == curp_digit(read.text[:17]) and read.sex in "HMX" and read.birth.year in range(1900, 2100)
    return True


def _elector_key(data: bytes) -> bool:
    try:
        read = ElectorKey.parse(_text(data))
    except Malformed:
        return False
    assert len(data) == 18 and read.sex in "HM" and read.birth_yymmdd.isdigit()
    return True


def _mrz(data: bytes) -> bool:
    lines = (*_text(data).split("\n"), "", "", "")[:3]
    lines, _ = correct((lines[0], lines[1], lines[2]))
    try:
        read = Td1.parse(lines)
    except Malformed:
        return False
    assert all(len(line) == 30 and line.isascii() for line in read.lines) and read.cic.isdigit()
    assert read.birth_date is None or read.birth_date.year < read.expiry_year
    return True


def _token(data: bytes) -> bool:
    try:
        token = jose.parse(_text(data))
    except BadToken as error:
        assert error.code == "malformed"
        return False
    assert isinstance(token.header, Mapping) and data.startswith(token.signed)
    for reader in (jose.ec_key, jose.rsa_key):
        try:
            reader(token.header.get("jwk", {}))
        except BadToken as error:
            assert error.code == "key"
    return True


def _support(data: bytes) -> bool:
    try:
        info = SupportInfo.parse(_text(data))
    except BadSupportInfo:
        return False
    assert sum(map(len, info.strokes)) <= MAX_POINTS
    return True


def _upload(part: Part) -> Callable[[bytes], bool]:
    def take(data: bytes) -> bool:
        try:
            facts = check_upload(part, data)
        except BadUpload as refusal:
            assert refusal.code in CODES
            return False
        assert 0 < facts.width * facts.height <= MAX_PHOTO_PIXELS and facts.picture_bytes <= len(data)
        return True

    return take


def _exif(data: bytes) -> bool:
    orientation = exif_orientation(data)
    assert orientation in {None, *range(1, 9)}
    return orientation is not None


def _header(data: bytes) -> bool:
    header = read_header(data)
    assert header is None or 1 <= header.orientation <= 8
    return header is not None


def _png(data: bytes) -> bool:
    if not data.startswith(SIGNATURE[:8]) or len(data) < 33:
        return False
    try:
        return len(only_pixels(data)) <= len(data)
    except BadPicture:
        return False


def _network(data: bytes) -> bool:
    try:
        check_onnx("n.onnx", data)
    except Misconfigured:
        return False
    return True


def _process(data: bytes) -> bool:
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        file.write(data)
        file.flush()
        try:
            return bool(read_process_file(Path(file.name)).id)
        except BadInput:
            return False


def _multipart(data: bytes) -> bool:
    """The first line is the Content-Type."""
    kind, _, body = data.partition(b"\n")

    async def read() -> None:
        async def chunks() -> AsyncIterator[bytes]:
            yield body

        await read_parts(chunks(), boundary_of(kind.decode("latin-1")), {"front": 1_000, "support": 1_000})

    try:
        anyio.run(read)
    except Problem as problem:
        assert 400 <= KINDS[problem.code][0] < 500
        return False
    return True


_JPEG = progressive(16, 16, (0x11, 0x11, 0x11), 4)
TARGETS: Mapping[str, Target] = {
    "small-qr": Target(_small_qr, (b"http://qr.ine.mx/123412345678900123456789/20200131/A/123456",)),
    "short-qr": Target(_short_qr, (b"https://qr.ine.mx/123456789",)),
    "large-qr": Target(_large_qr, (b"\x00\x00" + bytes(856), b"\x00\x01" + bytes(856))),
    "curp": Target(_curp, (b"LOOA531113HTCPBN07",)),
    "elector-key": Target(_elector_key, (b"GRRCMR85010109M100",)),
    "mrz": Target(_mrz, (b"IDMEX1234567897<<1234123456789\n8501019M3012310MEX<01<<12345<1\nGARCIA<RUIZ<<CARMEN<<<<<<<<<<<",)),
    "token": Target(_token, (b"eyJ0eXAiOiJhIn0.eyJhIjoxfQ.AAAA",)),
    "support-json": Target(_support, (
        b'{"process": "demo", "chosen_model": "G", "as_of": "2026-11-24", "strokes": [[{"x": 1, "y": 2.5}]]}',)),
    "jpeg": Target(_upload(Part.FRONT), (_JPEG,)),
    "png": Target(_upload(Part.SIGNATURE), (SIGNATURE, png(8, 8, chunk(b"tEXt", b"a\x00b")))),
    "png-cut": Target(_png, (SIGNATURE, png(8, 8, chunk(b"iCCP", b"a\x00\x00b")))),
    "exif": Target(_exif, (
        b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00",
        exif_loop()[4:200])),
    "picture-header": Target(_header, (
        _JPEG, SIGNATURE, b"GIF89a\x08\x00\x08\x00\x00\x00\x00", b"II*\x00\x08\x00\x00\x00\x00\x00")),
    "network": Target(_network, (good_model(),)),
    "process-file": Target(_process, (b'id = "p1"\naccepted_models = ["G"]\nopens = 2026-01-01\n',)),
    "multipart": Target(_multipart, (
        b'multipart/form-data; boundary=b\n--b\r\nContent-Disposition: form-data; name="front"\r\n\r\nx\r\n--b--\r\n',)),
}
