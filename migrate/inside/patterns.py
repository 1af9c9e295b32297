"""Room: numbers that point to a person, and protective markings, found in text.

In: text. Out: how many different ones there are of each kind; never which. Every pattern has a
bounded length, so that a search takes time in proportion to the text, however hostile.

Sources: HMRC NIM39110 (National Insurance numbers); NHS Data Dictionary, NHS NUMBER (modulus 11);
ministryofjustice IdentifierValidation.java and the CJS data standards catalogue (PNC and CRO: check
letter of YY and serial, modulus 23); prisoner-offender-search PrisonerNumber.kt; HMG Government
Security Classifications, and the marking scheme before April 2014.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

CHECK_LETTERS = "ZABCDEFGHJKLMNPQRTUVWXY"
NEAR = 200  # letters between an NHS number and the word that says what it is
FIRST_LINES, LAST_LINES, LINE_LETTERS = 12, 5, 120

_NATIONAL_INSURANCE = re.compile(
    r"(?i)\b(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]"
    r"[ -]?(\d\d)[ -]?(\d\d)[ -]?(\d\d)[ -]?[A-D]\b"
)
_TEN_DIGITS = re.compile(r"(?<![\d-])\d{3}[ -]?\d{3}[ -]?\d{4}(?![\d-])")
_NHS = re.compile(r"(?i)\bNHS\b|\bnational health\b")
_PRISON = re.compile(r"\b[A-Z]\d{4}[A-Z]{2}\b")
_PNC = re.compile(r"(?i)(?<![\w/])(?:19|20)?(\d\d)/(\d{1,7})([A-HJ-NP-RT-Z])\b")
_CRO = re.compile(r"(?i)(?<![\w/])(\d{1,6})/(\d\d)([A-HJ-NP-RT-Z])\b")
_CRO_FILE = re.compile(r"(?i)\bSF(\d\d)/(\d{1,6})([A-HJ-NP-RT-Z])\b")

_ADDED = (
    r"(?:[ \t]*[-–—:,/(\[]{0,2}[ \t]*(?:PERSONAL|DATA|COMMERCIAL|LOCSEN|POLICY|STAFF|MANAGEMENT|"
    r"MEDICAL|INVESTIGATIONS?|APPOINTMENTS?|CONTRACTS?|HONOURS|PRIVATE|VISITS?|UK|US|EYES|ONLY|"
    r"STRAP ?\d?|DRAFT|WHEN|COMPLETED?|RECIPIENTS|ORGANISATIONAL|USE|AND|IN|CONFIDENCE)\b){0,6}"
)
_BEFORE = r"(?:[A-Za-z ]{0,30}(?:marking|classification)[ \t]*:?[ \t]*)?(?:UK[ -])?"
_MARKINGS = [
    ("top_secret", r"TOP[ -]SECRET"),
    ("secret", r"SECRET"),
    ("official_sensitive", r"OFFICIAL[ ]?[-–:—]?[ ]?[\[(]?SENSITIVE"),
    ("confidential", r"CONFIDENTIAL"),
    ("restricted", r"RESTRICTED"),
    ("protect", r"PROTECT"),
    ("official", r"OFFICIAL"),
]
_LINES = [
    (name, re.compile(rf"\W{{0,4}}{_BEFORE}{mark}{_ADDED}\W{{0,4}}")) for name, mark in _MARKINGS
]
MARKINGS = [name for name, _ in _MARKINGS]


def counts(text: str) -> dict[str, int]:
    """How many different numbers of each kind the text holds."""
    return {
        "ni_numbers": len({_plain(one[0]) for one in _NATIONAL_INSURANCE.finditer(text)}),
        "nhs_numbers": len(_nhs_numbers(text)),
        "prison_numbers": len({one[0] for one in _PRISON.finditer(text)}),
        "pnc_numbers": len(set(_police_numbers(text))),
    }


def _plain(number: str) -> str:
    return re.sub(r"[ -]", "", number).upper()


def _nhs_numbers(text: str) -> set[str]:
    """Ten digits of which the last is the check digit, near the word NHS or near another such
    number (a column of them has the word at its head). One in eleven numbers of ten digits passes
    by chance: alone it says nothing. Three different ones count wherever they stand, if the word
    is in the text at all."""
    words = [found.end() for found in _NHS.finditer(text)]
    if not words:
        return set()
    every, near = set(), set()
    word, reach = 0, -1
    for found in _TEN_DIGITS.finditer(text):
        digits = _plain(found[0])
        if not nhs_check(digits):
            continue
        while word < len(words) and words[word] <= found.start():
            reach = max(reach, words[word] + NEAR)
            word += 1
        every.add(digits)
        if found.start() <= reach:
            near.add(digits)
            reach = found.end() + NEAR
    return every if len(every) >= 3 else near


def nhs_check(digits: str) -> bool:
    """Whether the tenth digit is the check digit of the first nine (modulus 11)."""
    total = sum(int(digits[place]) * (10 - place) for place in range(9))
    check = 11 - total % 11
    return len(set(digits)) > 1 and check != 10 and check % 11 == int(digits[9])


def _police_numbers(text: str) -> Iterator[tuple[str, int, str]]:
    for found in _PNC.finditer(text):
        year, serial, letter = found.groups()
        if check_letter(year, serial, 7) == letter.upper():
            yield "PNC", int(year + serial.zfill(7)), letter.upper()
    for pattern, order in ((_CRO, (1, 0)), (_CRO_FILE, (0, 1))):
        for found in pattern.finditer(text):
            year, serial = (found.groups()[n] for n in order)
            if check_letter(year, serial, 6) == found[3].upper():
                yield "CRO", int(year + serial.zfill(6)), found[3].upper()


def check_letter(year: str, serial: str, digits: int) -> str:
    """The letter at the end of a PNC or CRO number."""
    return CHECK_LETTERS[int(year + serial.zfill(digits)) % 23]


def marking(headers: Iterable[str], text: str) -> str | None:
    """The highest protective marking in headers and footers, or in the first or last lines: a line
    of its own, in capitals. None for none."""
    lines = [line.strip() for header in headers for line in header.splitlines()]
    body = [line.strip() for line in text.splitlines() if line.strip()]
    lines += body[:FIRST_LINES] + body[-LAST_LINES:]
    short = [line for line in lines if 0 < len(line) <= LINE_LETTERS]
    for name, pattern in _LINES:
        if any(pattern.fullmatch(line) for line in short):
            return name
    return None
