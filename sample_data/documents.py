"""Makers of documents in formats still in use: each returns a function of the file's date.

A *maker* takes the date the document should carry inside and returns its bytes. The same
maker with the same date gives the same bytes every time: no clock and no random source.
"""

from __future__ import annotations

import hashlib
import io
import random
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from xml.sax.saxutils import escape

from openpyxl import Workbook
from openpyxl.styles import Font
from PIL import Image, ImageDraw
from pptx import Presentation
from reportlab.lib.pagesizes import A4
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import simpleSplit
from reportlab.pdfgen.canvas import Canvas

Maker = Callable[[datetime], bytes]
Cell = str | int | float | None

SENTENCES = (
    "The group noted that {0} remained within the plan agreed for the quarter.",
    "Officers reported {1} cases in the period, {2} more than in the period before.",
    "It was agreed that the paper on {0} would return with costed options.",
    "The cost of {0} is estimated at £{1},000, of which £{2},000 falls in this year.",
    "No decision on {0} is needed from the Minister at this stage.",
    "Governors have been asked to confirm local arrangements within {2} working days.",
    "The main risk to {0} is the availability of trained staff at weekends.",
    "Counsel has advised that the existing powers are enough for {0}.",
    "Figures for {0} exclude {2} establishments which made no return.",
    "The contractor has accepted {2} of the points raised about {0}.",
    "A review of {0} will report to the board before the summer recess.",
    "Staff side were consulted about {0} and raised no objection.",
    "Court users have complained of delay; {1} hearings were relisted.",
    "The next return on {0} is due at the end of the month.",
    "Action: Head of Operations to circulate a revised note on {0}.",
    "Earlier correspondence about {0} is on the paper file, part {2}.",
)

CONTENT_TYPES = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/docProps/core.xml" '
    'ContentType="application/vnd.openxmlformats-package.core-properties+xml"/>{}</Types>'
)
RELS = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    "{}</Relationships>"
)
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml"
W_NS = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
    f'xmlns:r="{OFFICE}/relationships"'
)
XML_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
EPOCH = datetime(1980, 1, 1, tzinfo=UTC)


def raw(content: bytes | str) -> Maker:
    """Return a maker of fixed content, in UTF-8 when it is text."""
    data = content.encode() if isinstance(content, str) else content
    return lambda when: data


def prose(topic: str, count: int = 4) -> list[str]:
    """Return some paragraphs about a topic, always the same ones for the same topic."""
    chance = random.Random(f"prose:{topic}")
    paragraphs = []
    for _ in range(count):
        picked = [SENTENCES[int(chance.random() * len(SENTENCES))] for _ in range(3)]
        many, few = 20 + int(chance.random() * 400), 2 + int(chance.random() * 18)
        paragraphs.append(" ".join(sentence.format(topic, many, few) for sentence in picked))
    return paragraphs


def pack(members: Mapping[str, bytes], when: datetime, compress: bool = True) -> bytes:
    """Return a zip of the members, every one dated `when`."""
    out = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, when.timetuple()[:6])
            info.create_system = 0
            info.external_attr = 0
            info.compress_type = method
            archive.writestr(info, data)
    return out.getvalue()


def zipped(members: Mapping[str, bytes]) -> Maker:
    """Return a maker of a zip file."""
    return lambda when: pack(members, when)


def core_properties(title: str, author: str, when: datetime) -> str:
    """Return the docProps/core.xml of an Office document."""
    stamp = f"{when:%Y-%m-%dT%H:%M:%SZ}"
    return (
        f'{XML_HEAD}<cp:coreProperties xmlns:cp="{PACKAGE}/metadata/core-properties" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<dc:title>{escape(title)}</dc:title><dc:creator>{escape(author)}</dc:creator>"
        f"<cp:lastModifiedBy>{escape(author)}</cp:lastModifiedBy>"
        f'<dcterms:created xsi:type="dcterms:W3CDTF">{stamp}</dcterms:created>'
        f'<dcterms:modified xsi:type="dcterms:W3CDTF">{stamp}</dcterms:modified>'
        "</cp:coreProperties>"
    )


def word_paragraph(text: str, style: str = "") -> str:
    """Return one paragraph of WordprocessingML."""
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f'<w:p>{properties}<w:r><w:t xml:space="preserve">{escape(text)}</w:t></w:r></w:p>'


def word_table(rows: Sequence[Sequence[Cell]]) -> str:
    """Return a table of WordprocessingML."""
    grid = "".join('<w:gridCol w:w="2200"/>' for _ in rows[0])
    lines = "".join(
        "<w:tr>" + "".join(f"<w:tc>{word_paragraph(str(c))}</w:tc>" for c in row) + "</w:tr>"
        for row in rows
    )
    width = '<w:tblPr><w:tblW w:w="0" w:type="auto"/></w:tblPr>'
    return f"<w:tbl>{width}<w:tblGrid>{grid}</w:tblGrid>{lines}</w:tbl>"


def word_styles() -> str:
    """Return a small styles.xml: Normal, Title and Header."""
    sizes = (("Normal", "Normal", 22), ("Title", "Title", 36), ("Header", "header", 18))
    styles = "".join(
        f'<w:style w:type="paragraph" w:default="{int(key == "Normal")}" w:styleId="{key}">'
        f'<w:name w:val="{name}"/><w:rPr><w:rFonts w:ascii="Arial" w:hAnsi="Arial"/>'
        f'<w:sz w:val="{size}"/></w:rPr></w:style>'
        for key, name, size in sizes
    )
    return f"{XML_HEAD}<w:styles {W_NS}>{styles}</w:styles>"


def docx(
    title: str,
    paragraphs: Sequence[str],
    marking: str = "",
    author: str = "Case officer 12",
    table: Sequence[Sequence[Cell]] = (),
) -> Maker:
    """Return a maker of a Word document; a marking goes in the page header."""
    parts = "".join(word_paragraph(text) for text in paragraphs)
    header = f"{XML_HEAD}<w:hdr {W_NS}>{word_paragraph(marking, 'Header')}</w:hdr>"
    section = '<w:headerReference w:type="default" r:id="rId2"/>' if marking else ""
    document = (
        f"{XML_HEAD}<w:document {W_NS}><w:body>{word_paragraph(title, 'Title')}"
        f"{parts}{word_table(table) if table else ''}{word_paragraph('')}"
        f'<w:sectPr>{section}<w:pgSz w:w="11906" w:h="16838"/></w:sectPr></w:body></w:document>'
    )

    def make(when: datetime) -> bytes:
        members = word_package(document, header if marking else "")
        members["docProps/core.xml"] = core_properties(title, author, when)
        return pack({name: text.encode() for name, text in members.items()}, EPOCH)

    return make


def word_package(document: str, header: str) -> dict[str, str]:
    """Return the parts of a Word document, but for its properties."""
    kinds = {"document": "document.main", "styles": "styles"}
    links = f'<Relationship Id="rId1" Type="{OFFICE}/relationships/styles" Target="styles.xml"/>'
    if header:
        kinds["header1"] = "header"
        links += (
            f'<Relationship Id="rId2" Type="{OFFICE}/relationships/header" Target="header1.xml"/>'
        )
    overrides = "".join(
        f'<Override PartName="/word/{part}.xml" ContentType="{WORD}.{kind}+xml"/>'
        for part, kind in kinds.items()
    )
    top = (
        f'<Relationship Id="rId1" Type="{OFFICE}/relationships/officeDocument" '
        'Target="word/document.xml"/>'
        f'<Relationship Id="rId2" Type="{PACKAGE}/relationships/metadata/core-properties" '
        'Target="docProps/core.xml"/>'
    )
    members = {
        "[Content_Types].xml": CONTENT_TYPES.format(overrides),
        "_rels/.rels": RELS.format(top),
        "word/document.xml": document,
        "word/_rels/document.xml.rels": RELS.format(links),
        "word/styles.xml": word_styles(),
    }
    return members | ({"word/header1.xml": header} if header else {})


def repack(data: bytes, when: datetime) -> bytes:
    """Return an Office document with fixed dates in its zip and in its properties."""
    stamp = f"{when:%Y-%m-%dT%H:%M:%SZ}".encode()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    core = members["docProps/core.xml"]
    pattern = rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*"
    members["docProps/core.xml"] = re.sub(pattern, lambda m: m.group(1) + stamp, core)
    return pack(members, EPOCH)


def xlsx(
    sheets: Mapping[str, Sequence[Sequence[Cell]]],
    marking: str = "",
    author: str = "Finance officer 3",
) -> Maker:
    """Return a maker of a workbook: sheet name to rows, the first row in bold."""

    def make(when: datetime) -> bytes:
        book = Workbook()
        book.remove(book.worksheets[0])
        book.properties.creator = author
        for name, rows in sheets.items():
            sheet = book.create_sheet(name)
            for row in rows:
                sheet.append(list(row))
            for cell in sheet[1]:
                cell.font = Font(bold=True)
            sheet.oddHeader.center.text = marking or None
        out = io.BytesIO()
        book.save(out)
        return repack(out.getvalue(), when)

    return make


def pptx(title: str, bullets: Sequence[str], author: str = "Policy officer 7") -> Maker:
    """Return a maker of a presentation: a title slide and a slide of bullets."""

    def make(when: datetime) -> bytes:
        deck = Presentation()
        first = deck.slides.add_slide(deck.slide_layouts[0])
        first.shapes.title.text = title
        first.placeholders[1].text = "Prisons and Courts Directorate"
        second = deck.slides.add_slide(deck.slide_layouts[1])
        second.shapes.title.text = "Main points"
        second.placeholders[1].text = "\n".join(bullets)
        properties = deck.core_properties
        properties.title, properties.author = title, author
        properties.last_modified_by, properties.comments = author, ""
        out = io.BytesIO()
        deck.save(out)
        return repack(out.getvalue(), when)

    return make


def pdf(title: str, paragraphs: Sequence[str], marking: str = "", password: str = "") -> Maker:
    """Return a maker of a PDF; with a password it can only be opened with that password."""

    def make(when: datetime) -> bytes:
        out = io.BytesIO()
        lock = StandardEncryption(password, strength=128) if password else None
        page = Canvas(out, A4, pageCompression=0, invariant=1, encrypt=lock)
        page.setTitle(title)
        page.setAuthor("Prisons and Courts Directorate")
        if marking:
            page.setFont("Helvetica-Bold", 9)
            page.drawCentredString(A4[0] / 2, A4[1] - 30, marking)
        page.setFont("Helvetica-Bold", 15)
        page.drawString(60, A4[1] - 70, title)
        page.setFont("Helvetica", 11)
        text = page.beginText(60, A4[1] - 100)
        for paragraph in paragraphs:
            for line in simpleSplit(paragraph, "Helvetica", 11, A4[0] - 120):
                text.textLine(line)
            text.textLine("")
        page.drawText(text)
        page.showPage()
        page.save()
        return out.getvalue().replace(b"D:20000101000000", f"D:{when:%Y%m%d%H%M%S}".encode())

    return make


def picture(seed: str, kind: str, size: tuple[int, int] = (160, 120)) -> Maker:
    """Return a maker of a small picture: kind is PNG, JPEG, GIF, BMP or TIFF."""

    def make(when: datetime) -> bytes:
        chance = random.Random(f"picture:{seed}")
        shade = [int(chance.random() * 200) for _ in range(6)]
        image = Image.new("RGB", size, (shade[0], shade[1], shade[2]))
        draw = ImageDraw.Draw(image)
        for _ in range(9):
            left, top = int(chance.random() * size[0]), int(chance.random() * size[1])
            colour = tuple(c + int(chance.random() * 56) for c in shade[3:])
            draw.rectangle((left, top, left + size[0] // 5, top + size[1] // 6), fill=colour)
        out = io.BytesIO()
        options: dict[str, object] = {"quality": 70} if kind == "JPEG" else {}
        if kind == "JPEG":
            exif = Image.Exif()
            exif[0x0110], exif[0x0132] = "Compact camera", f"{when:%Y:%m:%d %H:%M:%S}"
            options["exif"] = exif
        image.save(out, kind, **options)
        return out.getvalue()

    return make


def site_plan(revised: bool) -> Maker:
    """Return a maker of a scan of about 300 KB; the revised one differs in its middle only."""

    def make(when: datetime) -> bytes:
        image = Image.new("L", (640, 480), 245)
        draw = ImageDraw.Draw(image)
        for step in range(0, 640, 40):
            draw.line((step, 0, step, 479), fill=200)
        draw.rectangle((90, 60, 550, 420), outline=30, width=4)
        draw.rectangle((280, 230, 330, 250), fill=60 if revised else 120)
        out = io.BytesIO()
        image.save(out, "TIFF")
        return out.getvalue()

    return make


def eml(
    sender: str,
    to: str,
    subject: str,
    text: str,
    attachment: tuple[str, bytes] | None = None,
) -> Maker:
    """Return a maker of an e-mail message between role mailboxes, with or without a file."""

    def make(when: datetime) -> bytes:
        mark = hashlib.sha256(f"{subject}{when}".encode()).hexdigest()[:16]
        message = EmailMessage(policy=SMTP)
        message["Date"] = format_datetime(when)
        message["From"] = f"{sender} <{mailbox(sender)}>"
        message["To"] = f"{to} <{mailbox(to)}>"
        message["Subject"] = subject
        message["Message-ID"] = f"<{mark}@pcd.example>"
        message.set_content(text)
        if attachment:
            name, data = attachment
            message.add_attachment(
                data, maintype="application", subtype="octet-stream", filename=name
            )
            message.set_boundary(f"=_{mark}")
        return message.as_bytes()

    return make


def mailbox(role: str) -> str:
    """Return the made-up address of a role."""
    return re.sub(r"[^a-z0-9]+", ".", role.lower()).strip(".") + "@pcd.example"


def table_text(rows: Sequence[Sequence[Cell]], end: str = "\r\n") -> str:
    """Return rows as CSV text; no value here needs quoting."""
    return "".join(",".join(str(cell) for cell in row) + end for row in rows)
