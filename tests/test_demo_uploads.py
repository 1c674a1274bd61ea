"""Ordinary photos pass, whatever bytes they hold and whoever sends them; large ones cost little memory."""

from __future__ import annotations

import io
import os
import random
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_client import Studio, open_studio
from demo_server import Client, Server
from PIL import Image

CURL = "------------------------d74496d66958873e"
BROWSER = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
PIECES = (16 * 1024, 64 * 1024)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    rates = dict.fromkeys(("rate_writes", "rate_newcomers", "rate_address"), "1000000/minute")
    studio = open_studio(tmp_path_factory.mktemp("uploads"), worker=False, **rates)
    yield studio
    studio.close()


def photo(bytes: int, chance: random.Random) -> bytes:
    """A JPEG of so many bytes, all but a few of them random: line breaks, dashes and all."""
    out = io.BytesIO()
    Image.new("RGB", (64, 48), tuple(chance.randbytes(3))).save(out, "JPEG")
    return out.getvalue() + chance.randbytes(bytes - len(out.getvalue()))


def multipart(boundary: str, data: bytes) -> bytes:
    head = 'Content-Disposition: form-data; name="file"; filename="사진.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    return f"--{boundary}\r\n{head}".encode() + data + f"\r\n--{boundary}--\r\n".encode()


def refused(studio: Studio, count: int, seed: int) -> list[tuple[int, str, int]]:
    """(bytes, boundary, status) of photos between 10 kB and 10 MB that were not taken."""
    person, chance, found = studio.person(), random.Random(seed), []
    for i in range(count):
        bytes = int(10 ** chance.uniform(4, 7))
        boundary = (CURL, BROWSER)[i % 2]
        body = multipart(boundary, photo(bytes, chance))
        reply = person.post("/images", data=body, content_type=f"multipart/form-data; boundary={boundary}")
        if reply.status_code != 201:
            found.append((bytes, boundary, reply.status_code))
    return found


def test_photos_of_any_bytes_up_to_ten_megabytes_are_taken(studio: Studio) -> None:
    assert refused(studio, 20, seed=1) == []


@pytest.mark.slow
def test_two_hundred_photos_of_any_bytes_are_taken(studio: Studio) -> None:
    assert refused(studio, 200, seed=2) == []


def test_a_photo_with_a_line_break_before_every_piece_that_is_read_is_taken(studio: Studio) -> None:
    """What may be the beginning of a boundary is kept back; the next piece comes on top of it."""
    for piece in PIECES:
        data = bytearray(photo(900_000, random.Random(3)))
        for at in range(piece, len(data), piece):
            for back in range(1, 150):
                data[at - back] = b"\r\n"[back % 2]
        body = multipart(BROWSER, bytes(data))
        reply = studio.person().post("/images", data=body, content_type=f"multipart/form-data; boundary={BROWSER}")
        assert reply.status_code == 201, reply.text


def test_uploads_at_once_leave_the_filters_of_warnings_alone(studio: Studio) -> None:
    import threading
    import warnings

    before = list(warnings.filters)
    data = photo(20_000, random.Random(4))
    threads = [threading.Thread(target=lambda: studio.person().upload(data)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before


def large_png(pixels: int = 25_000_000) -> bytes:
    """A PNG of one colour with transparency: small as a file, four bytes a pixel once decoded."""
    side = int(pixels**0.5)
    rows = zlib.compressobj(9)
    line = b"\0" + b"\x40\x80\xc0\xff" * side
    data = b"".join(rows.compress(line) for _ in range(side)) + rows.flush()
    out = io.BytesIO()
    Image.new("RGBA", (1, 1)).save(out, "PNG")
    head = side.to_bytes(4, "big") * 2 + b"\x08\x06\0\0\0"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return len(content).to_bytes(4, "big") + kind + content + check.to_bytes(4, "big")


def test_a_picture_of_25_million_pixels_costs_little_and_many_at_once_not_many_times_that(tmp_path: Path) -> None:
    costs(tmp_path, 10)


@pytest.mark.slow
def test_fifty_pictures_of_25_million_pixels_at_once_cost_600_megabytes_at_most(tmp_path: Path) -> None:
    costs(tmp_path, 50)


def costs(folder: Path, at_once: int) -> None:
    """Upload one, then many at once; what the web process took more than before is bounded, and is given back."""
    import threading

    server = Server(folder, RATE_WRITES="100000/minute", RATE_ADDRESS="100000/minute")
    server.start()
    try:
        body, pid = multipart(CURL, large_png()), server.answering()
        upload(server, multipart(CURL, photo(50_000, random.Random(5))))  # what is loaded by the first one is no cost
        before = peak(pid)
        assert upload(server, body) == 201
        one = peak(pid) - before
        statuses: list[int] = []
        threads = [threading.Thread(target=lambda: statuses.append(upload(server, body))) for _ in range(at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        many, kept = peak(pid) - before, resident(pid) - before
        print(f"25 million pixels: one {one:.0f} MB, {at_once} at once {many:.0f} MB, kept {kept:.0f} MB")
        assert statuses == [201] * at_once
        assert one <= 150 and many <= 600 and kept <= 150
    finally:
        server.stop()


def upload(server: Server, body: bytes) -> int:
    import http.client

    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)
    headers = {"Content-Type": f"multipart/form-data; boundary={CURL}"}
    try:
        line.request("POST", "/api/v1/images", body, headers)
        return line.getresponse().status
    finally:
        line.close()


def peak(pid: int | None) -> float:
    return _megabytes(pid, "VmHWM")


def resident(pid: int | None) -> float:
    return _megabytes(pid, "VmRSS")


def _megabytes(pid: int | None, field: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def test_a_browser_and_curl_send_photos_through_the_real_server(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.start()
    try:
        for bytes in (800_000, 5_000_000, 10_000_000):
            assert upload(server, multipart(CURL, photo(bytes, random.Random(bytes)))) == 201
        assert upload(server, multipart(CURL, os.urandom(12 * 2**20))) == 413
        assert Client(server.url).call("GET", "//healthz")[0] == 200
    finally:
        server.stop()
