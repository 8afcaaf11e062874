"""The door, over files that are drawn here byte by byte: what a decoder would say is written beside each."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.domain.capture import Part
from pipeline.domain.upload import CODES, MAX_PHOTO_BYTES, MAX_SIGNATURE_BYTES, FileKind, check_upload
from pipeline.errors import BadUpload

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def picture(kind: str = "JPEG", size: tuple[int, int] = (96, 64), mode: str = "RGB", **options: object) -> bytes:
    out = io.BytesIO()
    noise = Image.effect_noise(size, 60).convert(mode)
    noise.save(out, kind, **options)
    return out.getvalue()


def segment(marker: int, body: bytes = b"") -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def frame(marker: int = 0xC0, precision: int = 8, height: int = 8, width: int = 8,
          sampling: tuple[int, ...] = (0x11,)) -> bytes:
    parts = b"".join(bytes((index + 1, factors, 0)) for index, factors in enumerate(sampling))
    return segment(marker, struct.pack(">BHHB", precision, height, width, len(sampling)) + parts)


def scan(components: int = 1) -> bytes:
    return segment(0xDA, bytes((components,)) + b"\x01\x00" * components + b"\x00\x3f\x00")


SOI, EOI = b"\xff\xd8", b"\xff\xd9"
DRAWN = SOI + frame() + scan() + b"\x5a" * 8 + EOI
"""The smallest complete walk: one component, one block."""


def chunk(kind: bytes, body: bytes = b"", crc: int | None = None) -> bytes:
    value = zlib.crc32(kind + body) if crc is None else crc
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", value)


def header(width: int = 4, height: int = 4, depth: int = 8, colour: int = 0, tail: bytes = b"\x00\x00\x00") -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBB", width, height, depth, colour) + tail)


PNG = b"\x89PNG\r\n\x1a\n"
PIXELS = chunk(b"IDAT", zlib.compress(b"\x00" * 20))
END = chunk(b"IEND")


def heif(brand: bytes, *others: bytes) -> bytes:
    body = brand + b"\x00\x00\x00\x00" + b"".join(others)
    return struct.pack(">I", 8 + len(body)) + b"ftyp" + body + b"\x00" * 64


def exif(orientation: int, order: str = "<", kind: int = 3, count: int = 1) -> bytes:
    mark = b"II*\x00" if order == "<" else b"MM\x00*"
    entry = struct.pack(order + "HHIHH", 0x0112, kind, count, orientation, 0)
    return segment(0xE1, b"Exif\x00\x00" + mark + struct.pack(order + "IH", 8, 1) + entry + b"\x00" * 4)


MPO = picture() + picture(size=(32, 32))
THUMBNAIL = SOI + segment(0xE1, b"Exif\x00\x00" + picture(size=(16, 16))) + picture()[2:]
RESTARTS = SOI + frame() + scan() + b"\x11\xff\x00\x22\xff\xd0\x33\xff\xd7\x44\xff\xff" + EOI
FILL = SOI + b"\xff\xff\xff" + frame() + b"\xff" + scan() + b"\x11" * 4 + EOI
TWO_SCANS = SOI + frame(0xC2) + scan() + b"\x01" * 4 + segment(0xC4, b"\x00" * 17) + scan() + b"\x02" * 4 + EOI
STRAY = SOI + segment(0xFE, b"hello") + b"\x00\x41\xff\x00" * 3 + frame() + scan() + b"\x11" * 4 + EOI

ACCEPTED = {
    "a camera's JPEG": (Part.FRONT, picture(quality=90), FileKind.JPEG),
    "progressive": (Part.BACK, picture(progressive=True), FileKind.JPEG),
    "grey": (Part.SELFIE, picture(mode="L"), FileKind.JPEG),
    "CMYK": (Part.FRONT, picture(mode="CMYK"), FileKind.JPEG),
    "one pixel": (Part.FRONT, picture(size=(1, 1)), FileKind.JPEG),
    "all white": (Part.SIGNATURE, picture(size=(600, 300)), FileKind.JPEG),
    "MPO: another picture after the first": (Part.FRONT, MPO, FileKind.JPEG),
    "a zip behind the picture": (Part.FRONT, picture() + b"PK\x03\x04" + b"\x00" * 50, FileKind.JPEG),
    "a whole picture inside APP1": (Part.FRONT, THUMBNAIL, FileKind.JPEG),
    "restart markers, stuffing and fill in the data": (Part.FRONT, RESTARTS, FileKind.JPEG),
    "fill bytes before markers": (Part.FRONT, FILL, FileKind.JPEG),
    "two scans": (Part.FRONT, TWO_SCANS, FileKind.JPEG),
    "stray bytes between segments": (Part.FRONT, STRAY, FileKind.JPEG),
    "a signature as PNG": (Part.SIGNATURE, picture("PNG", mode="RGBA"), FileKind.PNG),
    "one bit": (Part.SIGNATURE, picture("PNG", mode="1"), FileKind.PNG),
    "palette": (Part.SIGNATURE, picture("PNG", mode="P"), FileKind.PNG),
    "text behind IEND": (Part.SIGNATURE, PNG + header() + PIXELS + END + b"<script>", FileKind.PNG),
}

REFUSED = {
    "nothing": (Part.FRONT, b"", "file_empty"),
    "one byte": (Part.FRONT, b"\xff", "file_type"),
    "text": (Part.FRONT, b"hello, this is no picture", "file_type"),
    "PNG for a photo": (Part.SELFIE, picture("PNG"), "file_type"),
    "GIF": (Part.FRONT, picture("GIF", mode="P"), "file_type"),
    "WebP": (Part.FRONT, picture("WEBP"), "file_type"),
    "TIFF": (Part.SIGNATURE, picture("TIFF"), "file_type"),
    "BMP": (Part.SIGNATURE, picture("BMP"), "file_type"),
    "PDF that hides a JPEG": (Part.FRONT, b"%PDF-1.7\n" + picture(), "file_type"),
    "script before the picture": (Part.FRONT, b"<script>" + picture(), "file_type"),
    "SVG": (Part.SIGNATURE, b'<svg xmlns="http://www.w3.org/2000/svg"/>', "file_type"),
    "video of a phone": (Part.FRONT, heif(b"qt  "), "file_type"),
    "HEIC": (Part.FRONT, heif(b"heic", b"mif1"), "file_heic"),
    "HEIC by a compatible brand": (Part.SIGNATURE, heif(b"abcd", b"mif1"), "file_heic"),
    "AVIF": (Part.BACK, heif(b"avif"), "file_heic"),
    "photo too large": (Part.FRONT, SOI + b"\xff" + b"\x00" * MAX_PHOTO_BYTES, "file_too_large"),
    "signature too large": (Part.SIGNATURE, PNG + b"\x00" * MAX_SIGNATURE_BYTES, "file_too_large"),
    "bomb of 65,535 x 65,535": (Part.FRONT, SOI + frame(height=65535, width=65535) + scan() + b"\x11" * 99 + EOI, "file_cut"),
    "64 MP and a bit": (Part.FRONT, SOI + frame(0xC2, height=8001, width=8000) + scan() + b"\x11" * 130_000 + EOI,
                        "picture_too_large"),
    "a line of 16,385": (Part.FRONT, SOI + frame(height=8, width=16385) + scan() + b"\x11" * 999 + EOI, "picture_too_large"),
    "width 0": (Part.FRONT, SOI + frame(width=0) + scan() + b"\x11" + EOI, "picture_empty"),
    "height 0 (DNL)": (Part.FRONT, SOI + frame(height=0) + scan() + b"\x11" + EOI, "picture_empty"),
    "12 bits": (Part.FRONT, SOI + frame(0xC1, precision=12) + scan() + b"\x11" + EOI, "jpeg_unsupported"),
    "lossless": (Part.FRONT, SOI + frame(0xC3) + scan() + b"\x11" + EOI, "jpeg_unsupported"),
    "arithmetic": (Part.FRONT, SOI + frame(0xC9) + scan() + b"\x11" + EOI, "jpeg_unsupported"),
    "two components": (Part.FRONT, SOI + frame(sampling=(0x11, 0x11)) + scan(2) + b"\x11" + EOI, "jpeg_unsupported"),
    "no components": (Part.FRONT, SOI + frame(sampling=()) + scan() + b"\x11" + EOI, "jpeg_unsupported"),
    "sampling 0": (Part.FRONT, SOI + frame(sampling=(0x01,)) + scan() + b"\x11" + EOI, "file_damaged"),
    "sampling of 12 blocks": (Part.FRONT, SOI + frame(sampling=(0x24, 0x12, 0x12)) + scan(3) + b"\x11" + EOI, "file_damaged"),
    "two frames": (Part.FRONT, SOI + frame() + frame() + scan() + b"\x11" + EOI, "file_damaged"),
    "scan before frame": (Part.FRONT, SOI + scan() + b"\x11" + EOI, "file_damaged"),
    "scan of more components than the frame": (Part.FRONT, SOI + frame() + scan(3) + b"\x11" + EOI, "file_damaged"),
    "no scan": (Part.FRONT, SOI + frame() + EOI, "file_damaged"),
    "no data": (Part.FRONT, SOI + frame(height=800, width=800) + scan() + EOI, "file_cut"),
    "a picture in the picture's header": (Part.FRONT, SOI + SOI + frame() + scan() + b"\x11" + EOI, "file_damaged"),
    "segment of length 1": (Part.FRONT, SOI + b"\xff\xfe\x00\x01" + DRAWN[2:], "file_damaged"),
    "segment past the end": (Part.FRONT, SOI + b"\xff\xfe\xff\xff" + DRAWN[2:], "file_cut"),
    "thousands of segments": (Part.FRONT, SOI + segment(0xFE) * 5_000 + DRAWN[2:], "file_damaged"),
    "hundreds of scans": (Part.FRONT, SOI + frame(0xC2) + (scan() + b"\x11") * 200 + EOI, "file_damaged"),
    "EOI only in a comment": (Part.FRONT, DRAWN[:-2] + segment(0xFE, EOI), "file_cut"),
    "only the magic": (Part.FRONT, b"\xff\xd8\xff", "file_cut"),
    "PNG: only the magic": (Part.SIGNATURE, PNG, "file_cut"),
    "PNG: no IEND": (Part.SIGNATURE, PNG + header() + PIXELS, "file_cut"),
    "PNG: no data": (Part.SIGNATURE, PNG + header() + END, "file_cut"),
    "PNG: no header": (Part.SIGNATURE, PNG + PIXELS + END, "file_damaged"),
    "PNG: two headers": (Part.SIGNATURE, PNG + header() + header() + PIXELS + END, "file_damaged"),
    "PNG: checksum": (Part.SIGNATURE, PNG + header() + chunk(b"IDAT", b"\x00" * 20, crc=7) + END, "file_damaged"),
    "PNG: header's checksum": (Part.SIGNATURE, PNG + header()[:-1] + b"\x00" + PIXELS + END, "file_damaged"),
    "PNG: width 0": (Part.SIGNATURE, PNG + header(width=0) + PIXELS + END, "picture_empty"),
    "PNG: depth 3": (Part.SIGNATURE, PNG + header(depth=3) + PIXELS + END, "file_damaged"),
    "PNG: colour 5": (Part.SIGNATURE, PNG + header(colour=5) + PIXELS + END, "file_damaged"),
    "PNG: compression 1": (Part.SIGNATURE, PNG + header(tail=b"\x01\x00\x00") + PIXELS + END, "file_damaged"),
    "PNG: palette missing": (Part.SIGNATURE, PNG + header(colour=3) + PIXELS + END, "file_damaged"),
    "PNG: unknown critical chunk": (Part.SIGNATURE, PNG + header() + chunk(b"ABCD") + PIXELS + END, "file_damaged"),
    "PNG: bomb": (Part.SIGNATURE, PNG + header(5_000, 5_000) + chunk(b"IDAT", b"\x00" * 30_000) + END, "picture_too_large"),
    "PNG: more than deflate can hold": (Part.SIGNATURE, PNG + header(16_000, 16_000, 8, 6) + PIXELS + END, "file_cut"),
    "PNG: chunk longer than the file": (Part.SIGNATURE, PNG + header() + b"\x7f\xff\xff\xffIDAT" + b"\x00" * 64, "file_cut"),
    "PNG: line ends changed on the way": (Part.SIGNATURE, (PNG + header() + PIXELS + END).replace(b"\r\n", b"\n"), "file_type"),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_complete_files_come_in(case: str) -> None:
    part, data, kind = ACCEPTED[case]
    facts = check_upload(part, data)
    assert facts.kind is kind
    assert facts.picture_bytes <= len(data)
    assert data[: facts.picture_bytes].endswith(EOI if kind is FileKind.JPEG else END)


@pytest.mark.parametrize("case", REFUSED)
def test_other_files_are_refused_with_their_code(case: str) -> None:
    part, data, code = REFUSED[case]
    with pytest.raises(BadUpload) as refusal:
        check_upload(part, data)
    assert refusal.value.code == code
    assert f"`{part}`" in refusal.value.detail
    assert "send" in refusal.value.detail


def test_every_code_of_the_door_is_in_the_table() -> None:
    assert {code for _, _, code in REFUSED.values()} == set(CODES)


@pytest.mark.parametrize(("kind", "part", "size"), [("JPEG", Part.FRONT, (640, 480)), ("PNG", Part.SIGNATURE, (77, 33))])
def test_dimensions_are_the_decoders(kind: str, part: Part, size: tuple[int, int]) -> None:
    facts = check_upload(part, picture(kind, size=size))
    assert (facts.width, facts.height) == size


ORIENTATIONS = [
    *[(exif(value, order), value) for value in range(1, 9) for order in "<>"],
    (exif(0), None),
    (exif(9), None),
    (exif(6, kind=4), None),
    (exif(6, count=2), None),
    (segment(0xE1, b"Exif\x00\x00"), None),
    (segment(0xE1, b"Exif\x00\x00II*\x00" + b"\xff" * 8), None),
    (segment(0xE1, b"Exif\x00\x00II*\x00\x08\x00\x00\x00\xff\xff\x12\x01"), None),
    (segment(0xE1, b"http://ns.adobe.com/xap/1.0/\x00"), None),
    (exif(3) + exif(6), 3),
]


@pytest.mark.parametrize(("app1", "expected"), ORIENTATIONS)
def test_orientation_is_the_tag_or_nothing(app1: bytes, expected: int | None) -> None:
    assert check_upload(Part.FRONT, SOI + app1 + DRAWN[2:]).orientation == expected


@pytest.mark.parametrize(("part", "data"), [
    (Part.FRONT, picture(size=(40, 40), quality=60, progressive=True)), (Part.FRONT, picture(size=(24, 24))),
    (Part.SIGNATURE, picture("PNG", size=(24, 24), mode="L")),
])
def test_a_file_cut_anywhere_is_refused(part: Part, data: bytes) -> None:
    for length in range(len(data)):
        with pytest.raises(BadUpload):
            check_upload(part, data[:length])
    check_upload(part, data)


@given(st.binary(max_size=400), st.sampled_from(list(Part)), st.sampled_from([b"", b"\xff\xd8\xff", PNG, PNG + header()]))
@settings(deadline=None)
def test_no_bytes_crash_it(tail: bytes, part: Part, magic: bytes) -> None:
    try:
        check_upload(part, magic + tail)
    except BadUpload as refusal:
        assert refusal.code in CODES


@given(st.data())
@settings(deadline=None)
def test_no_damage_crashes_it(draw: st.DataObject) -> None:
    part, data, _ = ACCEPTED[draw.draw(st.sampled_from(sorted(ACCEPTED)))]
    spoiled = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 6))):
        spoiled[draw.draw(st.integers(0, len(spoiled) - 1))] = draw.draw(st.integers(0, 255))
    try:
        facts = check_upload(part, bytes(spoiled))
    except BadUpload as refusal:
        assert refusal.code in CODES
    else:
        assert 0 < facts.width * facts.height <= 64_000_000


SLOW = {
    "fill bytes": SOI + b"\xff" * 9_000_000,
    "stuffing in the header": SOI + b"\xff" + b"\xff\x00" * 4_500_000,
    "stuffing in the data": SOI + frame() + scan() + b"\xff\x00" * 4_500_000 + EOI,
    "restarts": SOI + frame() + scan() + b"\xff\xd0" * 4_500_000 + EOI,
    "fill in the data": SOI + frame() + scan() + b"\xff" * 9_000_000 + EOI,
    "empty comments": SOI + segment(0xFE) * 2_000_000,
    "standing markers": SOI + b"\xff\xd0" * 4_500_000,
    "scans": SOI + frame(0xC2) + (scan() + b"\x11") * 700_000,
    "zeros": b"\xff\xd8\xff" + b"\x00" * 9_000_000,
}


@pytest.mark.parametrize("case", SLOW)
def test_time_is_bounded_whatever_the_bytes(case: str) -> None:
    started = time.process_time()
    try:
        check_upload(Part.FRONT, SLOW[case])
    except BadUpload as refusal:
        assert refusal.code in CODES
    assert time.process_time() - started < 1.0, "9 MB of the worst bytes take well under a second"


@pytest.mark.shared
@pytest.mark.skipif(not (SHARED / "manifest.json").is_file(), reason="../shared/data is not beside this checkout")
def test_the_shared_bad_inputs_get_their_answers() -> None:
    wrong = []
    for entry in json.loads((SHARED / "manifest.json").read_text()):
        if entry["set"] != "bad_inputs":
            continue
        expected = entry["expect"]["answer"]
        try:
            check_upload(Part.FRONT, (SHARED / entry["file"]).read_bytes())
            answer = "accept"
        except BadUpload:
            answer = "reject"
        if expected not in ("either", answer):
            wrong.append((entry["file"], expected, answer))
    assert wrong == []


def test_the_command_says_one_line_a_file_and_loads_no_image_library(tmp_path: Path) -> None:
    (tmp_path / "good.jpg").write_bytes(DRAWN)
    (tmp_path / "bad.jpg").write_bytes(DRAWN[:-2])
    (tmp_path / "mark.png").write_bytes(PNG + header() + PIXELS + END)
    names = ["good.jpg", "absent.jpg", "bad.jpg", "mark.png"]
    program = (
        "import sys, typer; from pipeline.cli.check_upload import check_upload_command as command\n"
        "app = typer.Typer(); app.command()(command); app(standalone_mode=False)\n"
        "sys.exit(3 if {'cv2', 'numpy', 'PIL', 'ray'} & set(sys.modules) else 0)"
    )
    for part, expected in (("front", ["accepted", None, "rejected", "rejected"]),
                           ("signature", ["accepted", None, "rejected", "accepted"])):
        done = subprocess.run([sys.executable, "-c", program, *[str(tmp_path / name) for name in names], "--jsonl",
                               "--part", part], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert [line.get("outcome") for line in lines] == expected
        assert lines[1]["error"]["code"] == "unreadable"
        assert [Path(line["source"]).name for line in lines] == names
