"""DICOM files that are wrong on purpose, written byte by byte."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np

__all__ = ["SECRET", "hostile_files", "whole_file"]

SECRET = b"SECRET^ANNA"  # a patient; no message may name her
PLAIN, DEFLATED, RLE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5"
JPEG, JPEG2000, JPEG_LS = (f"1.2.840.10008.1.2.4.{kind}" for kind in (50, 90, 80))
LONG = (b"OB", b"OW", b"SQ", b"UN", b"UT")
ENDLESS = 0xFFFFFFFF
ITEM, ITEM_END, END = (struct.pack("<HH", 0xFFFE, tag) for tag in (0xE000, 0xE00D, 0xE0DD))
SIDE = 16

Element = tuple[tuple[int, int], bytes, bytes]


def element(tag: tuple[int, int], vr: bytes, value: bytes, length: int | None = None) -> bytes:
    """Return an element, explicit and little-endian, with its length or another one."""
    value += b"\0" * (len(value) % 2)
    length = len(value) if length is None else length
    head = struct.pack("<HH", *tag) + vr
    if vr in LONG:
        return head + struct.pack("<HI", 0, length) + value
    return head + struct.pack("<H", length & 0xFFFF) + value


def ct() -> dict[str, Element]:
    """Return the elements of a small CT slice by name, in the order of their tags."""
    stored = np.arange(SIDE * SIDE, dtype="<i2").tobytes()
    return {
        "class": ((0x0008, 0x0016), b"UI", b"1.2.840.10008.5.1.4.1.1.2"),
        "charset": ((0x0008, 0x0005), b"CS", b"ISO_IR 100"),
        "modality": ((0x0008, 0x0060), b"CS", b"CT"),
        "institution": ((0x0008, 0x0080), b"LO", SECRET),
        "name": ((0x0010, 0x0010), b"PN", SECRET),
        "patient": ((0x0010, 0x0020), b"LO", SECRET),
        "thickness": ((0x0018, 0x0050), b"DS", b"2.5"),
        "tilt": ((0x0018, 0x1120), b"DS", b"0"),
        "series": ((0x0020, 0x000E), b"UI", b"1.2.3"),
        "position": ((0x0020, 0x0032), b"DS", b"-10\\-20\\30"),
        "orientation": ((0x0020, 0x0037), b"DS", b"1\\0\\0\\0\\1\\0"),
        "samples": ((0x0028, 0x0002), b"US", struct.pack("<H", 1)),
        "photometric": ((0x0028, 0x0004), b"CS", b"MONOCHROME2"),
        "frames": ((0x0028, 0x0008), b"IS", b"1"),
        "rows": ((0x0028, 0x0010), b"US", struct.pack("<H", SIDE)),
        "columns": ((0x0028, 0x0011), b"US", struct.pack("<H", SIDE)),
        "spacing": ((0x0028, 0x0030), b"DS", b"0.7\\0.7"),
        "bits": ((0x0028, 0x0100), b"US", struct.pack("<H", 16)),
        "used": ((0x0028, 0x0101), b"US", struct.pack("<H", 16)),
        "high": ((0x0028, 0x0102), b"US", struct.pack("<H", 15)),
        "signed": ((0x0028, 0x0103), b"US", struct.pack("<H", 1)),
        "padding": ((0x0028, 0x0120), b"SS", struct.pack("<h", -2000)),
        "intercept": ((0x0028, 0x1052), b"DS", b"-1024"),
        "slope": ((0x0028, 0x1053), b"DS", b"1"),
        "unit": ((0x0028, 0x1054), b"LO", b"HU"),
        "pixels": ((0x7FE0, 0x0010), b"OW", stored),
    }


def whole_file(body: bytes, syntax: str = PLAIN) -> bytes:
    """Return a file with its preamble and meta elements."""
    meta = element((2, 2), b"UI", b"1.2.840.10008.5.1.4.1.1.2")
    meta += element((2, 3), b"UI", b"1.2.3.4") + element((2, 0x10), b"UI", syntax.encode())
    return bytes(128) + b"DICM" + element((2, 0), b"UL", struct.pack("<I", len(meta))) + meta + body


def body(changes: dict[str, bytes | Element] | None = None) -> bytes:
    """Return the elements of the slice, some with another value, or wholly others."""
    elements = ct()
    for name, change in (changes or {}).items():
        elements[name] = change if isinstance(change, tuple) else (*elements[name][:2], change)
    return b"".join(element(*each) for each in elements.values())


def hostile_files(seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield some 250 names and files: the same for the same seed."""
    rng = np.random.default_rng(seed)
    yield "sound", whole_file(body())
    for kind in (altered_bytes, altered_lengths, altered_kinds, cut, values, counts):
        yield from kind(rng)
    for kind in (nested, bombs, fragments, groups, scraps):
        yield from kind(rng)


def altered_bytes(rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    sound = whole_file(body())
    for number in range(50):
        content = bytearray(sound)
        for place in rng.integers(132, len(sound) - 2 * SIDE**2, int(rng.integers(1, 9))):
            content[place] = rng.integers(256)
        yield f"bytes {number}", bytes(content)


def altered_lengths(rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    names = list(ct())
    for number, length in enumerate([0, 1, 3, 0x7FFF, 0xFFFE, 2**31, 2**32 - 2, ENDLESS] * 4):
        chosen = names[int(rng.integers(len(names)))]
        parts = [element(*each, length if name == chosen else None) for name, each in ct().items()]
        yield f"length {number} of {chosen}", whole_file(b"".join(parts))


def altered_kinds(rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    kinds = [b"SQ", b"UN", b"OB", b"AT", b"FD", b"US", b"DS", b"PN", b"??", b"\0\0", b"\xff\xff"]
    names = list(ct())
    for number in range(33):
        chosen = names[int(rng.integers(len(names)))]
        tag, _, value = ct()[chosen]
        changed = (tag, kinds[number % len(kinds)], value)
        yield f"kind {number} of {chosen}", whole_file(body({chosen: changed}))


def cut(rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    sound = whole_file(body())
    for place in rng.integers(0, len(sound), 24):
        yield f"cut at {place}", sound[:place]


def values(rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    hostile = [
        b"nan", b"inf", b"-1e999", b"1e-999", b"", b"\\\\\\", b"9" * 5000, b"1\\" * 3000,
        b"\xff\xfe\x80", b"0x10", b"../../etc/passwd", b"<script>", b"%s%n", b"=1+1", b"1,5",
    ]  # fmt: skip
    for name in ("slope", "position", "spacing", "frames"):
        for number, value in enumerate(hostile):
            yield f"{name} {number}", whole_file(body({name: value}))


def counts(rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    for name in ("samples", "rows", "columns", "bits", "used", "high", "signed"):
        for number in (0, 7, 65535):
            yield f"{name} {number}", whole_file(body({name: struct.pack("<H", number)}))
    side = struct.pack("<H", 65535)
    yield "four billion", whole_file(body({"rows": side, "columns": side, "frames": b"1"}))
    yield "many frames", whole_file(body({"frames": b"2147483647"}))


def nested(rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """Sequences in sequences, with lengths and without, closed and not."""
    tag = struct.pack("<HH", 0x5200, 0x9229)
    for depth in (20, 200, 1000, 5000):
        opened = tag + b"SQ" + struct.pack("<HI", 0, ENDLESS) + ITEM + struct.pack("<I", ENDLESS)
        closed = ITEM_END + bytes(4) + END + bytes(4)
        yield f"nested {depth}", whole_file(body() + opened * depth + closed * depth)
        yield f"never closed {depth}", whole_file(body() + opened * depth)
    for depth in (200, 1500):
        inner = b""
        for _ in range(depth):
            item = ITEM + struct.pack("<I", len(inner)) + inner
            inner = tag + b"SQ" + struct.pack("<HI", 0, len(item)) + item
        yield f"nested with lengths {depth}", whole_file(body() + inner)


def bombs(rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """Little that grows: 4 GiB of zeros deflated, and pixels that claim to be many."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    head = packer.compress(body()) + packer.flush(zlib.Z_FULL_FLUSH)
    zeros = packer.compress(bytes(2**24)) + packer.flush(zlib.Z_FULL_FLUSH)
    yield "deflate bomb", whole_file(head + zeros * 256, DEFLATED)
    yield "deflated", whole_file(head + packer.flush(), DEFLATED)
    yield "deflated noise", whole_file(rng.bytes(500), DEFLATED)
    yield "deflated nothing", whole_file(b"", DEFLATED)
    side = struct.pack("<H", 30000)
    for name, syntax in (("rle", RLE), ("jpeg 2000", JPEG2000), ("jpeg ls", JPEG_LS)):
        tiny = fragmented([bytes(64)])
        changes: dict[str, bytes | Element] = {"rows": side, "columns": side}
        yield f"{name} bomb", whole_file(body(changes)[: -(2 * SIDE**2 + 12)] + tiny, syntax)


def fragmented(parts: list[bytes], offsets: bytes = b"") -> bytes:
    """Return pixels in fragments, as compressed ones are."""
    items = b"".join(ITEM + struct.pack("<I", len(part)) + part for part in [offsets, *parts])
    head = struct.pack("<HH", 0x7FE0, 0x0010) + b"OB" + struct.pack("<HI", 0, ENDLESS)
    return head + items + END + bytes(4)


def fragments(rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """Compressed pixels that are noise, or whose tables point anywhere."""
    without = body()[: -(2 * SIDE**2 + 12)]
    for name, syntax in (("rle", RLE), ("jpeg", JPEG), ("2000", JPEG2000), ("ls", JPEG_LS)):
        for number in range(4):
            parts = [rng.bytes(2 * int(rng.integers(0, 200))) for _ in range(number + 1)]
            offsets = rng.bytes(4 * number)
            yield f"{name} noise {number}", whole_file(without + fragmented(parts, offsets), syntax)
    for number in (0, 1, 15, 16, 2**31):
        table = struct.pack("<16I", number, *[64 + 7 * number & 0xFFFFFFFF] * 15)
        yield f"rle table {number}", whole_file(without + fragmented([table + bytes(80)]), RLE)


def groups(rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """Functional groups that do not fit the frames, or hold nonsense."""
    for number in (0, 1, 3, 70):
        items = b"".join(ITEM + struct.pack("<I", 0) for _ in range(number))
        sequence = element((0x5200, 0x9230), b"SQ", items)
        changed = body({"frames": b"2", "pixels": ct()["pixels"][2] * 2})
        yield f"{number} groups", whole_file(changed[: -(4 * SIDE**2 + 12)] + sequence)
        yield f"{number} groups, frames", whole_file(changed + sequence)


def scraps(rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    yield "nothing", b""
    yield "preamble", bytes(128)
    yield "mark", bytes(128) + b"DICM"
    yield "no elements", whole_file(b"")
    yield "zip", b"PK\3\4" + bytes(300)
    for number in range(8):
        yield f"noise {number}", bytes(128) + b"DICM" + rng.bytes(400)
    for syntax in ("", "1.2.3", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "x" * 70):
        yield f"syntax {syntax[:20]}", whole_file(body(), syntax)
