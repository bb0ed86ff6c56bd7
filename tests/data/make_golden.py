#!/usr/bin/env python3
"""Makes tests/data/golden: pictures in every form and what Pillow makes of each.

Needs Pillow from PyPI (made with 13.0): python3 -m venv .venv && .venv/bin/pip install pillow
NAME.EXT is the input, NAME.ppm is Image.open(NAME.EXT).convert("RGB").resize((s, s), BILINEAR).
"""
import math
import pathlib
import random
import struct
import zlib

from PIL import Image

OUT = pathlib.Path(__file__).parent / "golden"


def picture(width, height, seed):
    """Smooth waves with hard edges and some noise: shows errors of filters and of rounding."""
    rng = random.Random(seed)
    image = Image.new("RGB", (width, height))
    for y in range(height):
        for x in range(width):
            r = 127.5 + 127.5 * math.sin(x / 3.1 + y / 7.3)
            g = 255 * ((x // 5 + y // 4) % 2)
            b = min(255, max(0, 255 * x / width + rng.uniform(-40, 40)))
            image.putpixel((x, y), (int(r), int(g), int(b)))
    return image


def png(width, height, depth, color, rows, interlaced=False):
    """A PNG that Pillow cannot write; rows: bytes of each scanline, without the filter byte."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, int(interlaced))
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def rgb16(width, height):
    rng = random.Random(16)
    rows = [struct.pack(f">{3 * width}H", *(rng.randrange(65536) for _ in range(3 * width)))
            for _ in range(height)]
    return png(width, height, 16, 2, rows)


def gray16(width, height):
    rows = [struct.pack(f">{width}H", *((x * 9 + y * 13) % 400 for x in range(width)))
            for y in range(height)]
    return png(width, height, 16, 0, rows)


def gray(width, height, depth):
    rng = random.Random(depth)
    per_row = (width * depth + 7) // 8
    return png(width, height, depth, 0, [rng.randbytes(per_row) for _ in range(height)])


def adam7(image):
    """The seven passes of an interlaced PNG."""
    rows = []
    for x0, y0, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4),
                           (1, 0, 2, 2), (0, 1, 1, 2)):
        for y in range(y0, image.height, dy):
            pixels = [image.getpixel((x, y)) for x in range(x0, image.width, dx)]
            if pixels:
                rows.append(bytes(v for pixel in pixels for v in pixel))
    return png(image.width, image.height, 8, 2, rows, interlaced=True)


def with_alpha(image):
    alpha = Image.new("L", image.size)
    alpha.putdata([(i * 7) % 256 for i in range(image.width * image.height)])
    image.putalpha(alpha)
    return image


def save(name, content, size, **options):
    path = OUT / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content.save(path, **options)
    with Image.open(path) as image:
        image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR).save(
            path.with_suffix(".ppm"))


def main():
    OUT.mkdir(exist_ok=True)
    save("down.png", picture(61, 47, 1), 24)
    save("down_far.png", picture(150, 90, 2), 16)
    save("up.png", picture(7, 5, 3), 24)
    save("up_and_down.png", picture(90, 5, 4), 20)
    save("same.png", picture(24, 24, 5), 24)
    save("same_width.png", picture(24, 40, 6), 24)
    save("one_pixel.png", picture(1, 1, 7), 8)
    save("one_row.png", picture(100, 1, 8), 16)
    save("interlaced.png", adam7(picture(29, 23, 9)), 16)
    save("gray.png", picture(31, 33, 10).convert("L"), 16)
    save("gray1.png", gray(33, 17, 1), 16)
    save("gray2.png", gray(33, 17, 2), 16)
    save("gray4.png", gray(33, 17, 4), 16)
    save("gray16.png", gray16(33, 17), 16)
    save("gray_alpha.png", with_alpha(picture(31, 33, 11).convert("L")), 16)
    save("alpha.png", with_alpha(picture(31, 33, 12)), 16)
    save("palette.png", picture(31, 33, 13).quantize(30), 16)
    save("palette_clear.png", picture(31, 33, 14).quantize(30), 16, transparency=3)
    save("rgb16.png", rgb16(21, 19), 16)
    save("jpeg_420.jpg", picture(65, 49, 20), 24, quality=75)
    save("jpeg_422.jpg", picture(65, 49, 21), 24, quality=85, subsampling="4:2:2")
    save("jpeg_444.jpg", picture(40, 30, 22), 40, quality=92, subsampling="4:4:4")
    save("jpeg_gray.jpg", picture(40, 30, 23).convert("L"), 16)
    save("jpeg_progressive.jpg", picture(65, 49, 24), 24, progressive=True)
    save("jpeg_cmyk.jpg", picture(40, 30, 25).convert("CMYK"), 16)
    exif = Image.Exif()
    exif[0x0112] = 6  # "Rotate 90": not applied.
    save("jpeg_rotated.jpg", picture(40, 30, 26), 16, exif=exif)
    save("webp_lossy.webp", picture(40, 30, 27), 24, quality=80)
    save("webp_alpha.webp", with_alpha(picture(40, 30, 28)), 24, lossless=True, exact=True)


if __name__ == "__main__":
    main()
