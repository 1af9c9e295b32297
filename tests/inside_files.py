"""Files to look into: documents, archives and shortcuts, made by hand so that every byte is known."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
P = "http://schemas.openxmlformats.org/package/2006"
OPENXML = "application/vnd.openxmlformats-officedocument.wordprocessingml"


def packed(members: dict[str, bytes | str], stored: bool = False) -> bytes:
    """A ZIP archive."""
    buffer = io.BytesIO()
    method = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return buffer.getvalue()


def docx(*paragraphs: str, header: str = "") -> bytes:
    """A Word document (ECMA-376) with a header."""

    def text(one: str) -> str:
        return f"<w:p><w:r><w:t>{one}</w:t></w:r></w:p>"

    body = "".join(map(text, paragraphs))
    return packed(
        {
            "[Content_Types].xml": f'<Types xmlns="{P}/content-types"><Default Extension="rels" '
            f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/word/document.xml" ContentType="{OPENXML}.document.main+xml"/>'
            f'<Override PartName="/word/header1.xml" ContentType="{OPENXML}.header+xml"/></Types>',
            "_rels/.rels": f'<Relationships xmlns="{P}/relationships"><Relationship Id="r1" '
            f'Type="{R}/officeDocument" Target="word/document.xml"/></Relationships>',
            "word/_rels/document.xml.rels": f'<Relationships xmlns="{P}/relationships">'
            f'<Relationship Id="r1" Type="{R}/header" Target="header1.xml"/></Relationships>',
            "word/document.xml": f'<w:document {W} xmlns:r="{R}"><w:body>{body}<w:sectPr>'
            f'<w:headerReference w:type="default" r:id="r1"/></w:sectPr></w:body></w:document>',
            "word/header1.xml": f"<w:hdr {W}>{text(header)}</w:hdr>",
        }
    )


def pdf(*lines: str) -> bytes:
    """A PDF (ISO 32000-1) of one page."""
    shown = " ".join(f"({line}) Tj T*" for line in lines)
    stream = f"BT /F1 12 Tf 14 TL 50 750 Td {shown} ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, one in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    at = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, at)
    return bytes(out)


def xlsx(path: Path, *rows: list[object]) -> None:
    """A workbook with these rows."""
    import openpyxl

    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)


def lnk(
    local: str = "", network: tuple[str, str] | None = None, environment: str = "",
    wide: bool = False, ids: bytes = b"", description: str = "",
) -> bytes:  # fmt: skip
    """A Windows shortcut ([MS-SHLLINK]) to a local path, a share and a path in it, or a path with
    variables."""
    flags = bool(ids) | (bool(local or network) << 1) | (bool(description) << 2) | 0x80
    head = struct.pack("<I", 76) + bytes.fromhex("0114020000000000c000000000000046")
    out = (head + struct.pack("<I", flags)).ljust(76, b"\0")
    if ids:
        out += struct.pack("<H", len(ids)) + ids
    if local or network:
        out += _link_info(local, network, wide)
    if description:
        out += struct.pack("<H", len(description)) + description.encode("utf-16-le")
    if environment:
        narrow = environment.encode("cp1252", "replace").ljust(260, b"\0")
        block = narrow + environment.encode("utf-16-le").ljust(520, b"\0")
        out += struct.pack("<II", 0x314, 0xA0000001) + block
    return out + bytes(4)


def _link_info(local: str, network: tuple[str, str] | None, wide: bool) -> bytes:
    size = 0x24 if wide else 0x1C
    volume, base, net, suffix = b"", b"", b"", b"\0"
    wide_base, wide_suffix = b"", b"\0\0"
    if network:
        share, rest = network
        name = share.encode("cp1252", "replace") + b"\0"
        at = 0x1C if wide else 0x14
        wide_name = share.encode("utf-16-le") + b"\0\0" if wide else b""
        wide_at = struct.pack("<II", at + len(name), 0) if wide else b""
        body = struct.pack("<IIII", 2, at, 0, 0x20000) + wide_at + name + wide_name
        net = struct.pack("<I", len(body) + 4) + body
        suffix = rest.encode("cp1252", "replace") + b"\0"
        wide_suffix = rest.encode("utf-16-le") + b"\0\0"
    else:
        volume = struct.pack("<IIII", 17, 3, 0, 16) + b"\0"
        base = local.encode("cp1252", "replace") + b"\0"
        wide_base = local.encode("utf-16-le") + b"\0\0"
    at_volume = size
    at_base = at_volume + len(volume)
    at_net = at_base + len(base)
    at_suffix = at_net + len(net)
    at_wide_base = at_suffix + len(suffix)
    at_wide_suffix = at_wide_base + len(wide_base)
    end = at_wide_suffix + len(wide_suffix) if wide else at_wide_base
    head = [end, size, 2 if network else 1, 0 if network else at_volume,
            0 if network else at_base, at_net if network else 0, at_suffix]  # fmt: skip
    if wide:
        head += [0 if network else at_wide_base, at_wide_suffix]
    body = volume + base + net + suffix + (wide_base + wide_suffix if wide else b"")
    return struct.pack(f"<{len(head)}I", *head) + body
