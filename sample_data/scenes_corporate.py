"""Governance, Finance and Human Resources."""

from __future__ import annotations

from documents import docx, pdf, picture, pptx, prose, raw, table_text, xlsx
from fixtures import fixture
from oldformats import dbase, lotus, owner_file
from share import Share

CAFE_NFC = "Caf\N{LATIN SMALL LETTER E WITH ACUTE} menu.txt"
DASH = "\N{EN DASH}"


def fill(share: Share) -> None:
    """Add every file of these folders."""
    board_papers(share)
    board_minutes(share)
    plan_versions(share)
    risk_and_policy(share)
    invoices(share)
    budgets(share)
    contracts(share)
    payroll(share)
    exports(share)
    recruitment(share)
    staff_files(share)
    training(share)


def board_papers(share: Share) -> None:
    """Add the papers of two years of board meetings; 2014's are copied elsewhere later."""
    top = "Governance/Board papers"
    for year, month in ((2014, "02"), (2015, "03")):
        day = f"{year}-{month}-1"
        agenda = ["1. Minutes of the last meeting", "2. Finance report", "3. Population", "4. Risk"]
        share.add(f"{top} {year}/01 Agenda.docx", f"{day}0T09:30", docx("Agenda", agenda))
        share.add(
            f"{top} {year}/02 Finance report.xlsx",
            f"{day}1T11:05",
            xlsx({"Outturn": [["Line", "Budget", "Outturn"], ["Pay", year * 9, year * 9 - 412]]}),
        )
        share.add(
            f"{top} {year}/03 Prison population.pdf",
            f"{day}1T15:48",
            pdf("Prison population", prose(f"the prison population in {year}", 6)),
        )
    share.add(
        f"{top} 2014/04 Risk register.xlsx",
        "2014-02-12T10:00",
        xlsx({"Risks": [["Risk", "Owner"], ["Escort contract", "Head of Operations"]]}),
    )
    share.add(
        f"{top} 2014/05 Court estate slides.pptx",
        "2014-02-12T16:31",
        pptx("Court estate", ["Two courthouses to close", "Video links in nine prisons"]),
    )


def board_minutes(share: Share) -> None:
    """Add minutes, with a draft and copies beside them."""
    top = "Governance/Minutes"
    for month, day in (("03", "21"), ("06", "20"), ("09", "19"), ("12", "12")):
        share.add(
            f"{top}/Board minutes 2012-{month}.docx",
            f"2012-{month}-{day}T14:20",
            docx(f"Minutes of the board, 2012-{month}", prose(f"board item 2012-{month}", 5)),
        )
    share.copy(f"{top}/Board minutes 2012-06.docx", f"{top}/Copy of Board minutes 2012-06.docx")
    share.copy(f"{top}/Board minutes 2012-09.docx", f"{top}/Board minutes 2012-09 - Copy.docx")
    share.add(
        f"{top}/DRAFT Board minutes 2012-12.docx",
        "2012-12-12T12:02",
        docx("DRAFT Minutes of the board, 2012-12", prose("board item 2012-12", 4)),
    )
    share.add(
        f"{top}/Action log.txt", "2013-01-08T09:00", raw("12/03 Escort review: closed\r\n" * 9)
    )


def plan_versions(share: Share) -> None:
    """Add a chain of versions of one plan, and an annual report in two formats."""
    top = "Governance/Strategy"
    chain = (
        ("v1", "2019-01-08T10:12", 6),
        ("v2", "2019-01-29T17:40", 7),
        ("v3 (Head of Finance comments)", "2019-02-14T08:55", 8),
        ("FINAL", "2019-03-04T12:30", 8),
        ("FINAL2", "2019-03-11T18:21", 9),
        ("2019-04-01", "2019-04-01T09:05", 9),
    )
    for label, when, length in chain:
        text = [f"Version: {label}", *prose("the directorate plan", length)]
        share.add(f"{top}/Directorate plan {label}.docx", when, docx("Directorate plan", text))
    signed = pdf("Directorate plan", prose("the directorate plan", 9))
    share.add(f"{top}/Directorate plan FINAL signed.pdf", "2019-04-02T11:11", signed)
    report = prose("the work of the year", 9)
    share.add(
        f"{top}/Annual report 2017.docx", "2018-05-21T10:00", docx("Annual report 2017", report)
    )
    share.add(
        f"{top}/Annual report 2017.pdf", "2018-05-21T10:04", pdf("Annual report 2017", report)
    )
    share.add(
        f"{top}/draft annual report 2017.docx",
        "2018-04-09T15:15",
        docx("Annual report 2017 (draft)", report[:6]),
    )


def risk_and_policy(share: Share) -> None:
    """Add risk registers in two formats, and policies."""
    top = "Governance"
    register = [["Risk", "Owner", "Score"], ["Overcrowding", "Head of Operations", 20]]
    share.add(
        f"{top}/Risk/Risk register old.xls", "2005-09-01T11:00", raw(fixture("risk-2005.xls"))
    )
    share.add(
        f"{top}/Risk/Risk register 2026.xlsx",
        "2026-08-27T16:05",
        xlsx({"Register": [*register, ["Records left on a shared drive", "Records manager", 15]]}),
    )
    schedule = [["Class", "Description", "Keep"], ["FIN-03", "Invoices", "7 years"]]
    share.add(
        f"{top}/Policies/Records retention schedule.docx",
        "2021-10-04T09:45",
        docx("Records retention schedule", prose("records retention"), table=schedule),
    )
    share.add(
        f"{top}/Policies/Data protection policy.pdf",
        "2018-05-24T17:00",
        pdf("Data protection policy", prose("data protection", 6)),
    )


def invoices(share: Share) -> None:
    """Add invoices, downloads of them, and a second series which uses the same names."""
    top = "Finance/Invoices"
    for year, first, count in (("2009-10", 101, 5), ("2010-11", 201, 2)):
        for number in range(first, first + count):
            when = f"20{year[2:4]}-{4 + number % 10:02d}-{7 + number % 10:02d}T10:{number % 60:02d}"
            text = [f"Invoice {number:04d}", f"Catering supplies: £{number * 7}.40", "Net 30 days"]
            invoice = pdf(f"Invoice {number:04d}", text)
            share.add(f"{top}/{year}/Invoice {number:04d}.pdf", when, invoice)
    for number in (101, 102):
        text = [f"Purchase ledger scan {number:04d}", f"Laundry: £{number * 3}.15"]
        share.add(
            f"Finance/Purchase ledger/2009-10/Invoice {number:04d}.pdf",
            f"2009-11-{number - 90}T14:33",
            pdf(f"Invoice {number:04d}", text),
        )
    early = f"{top}/2009-10"
    share.copy(f"{early}/Invoice 0103.pdf", f"{early}/Invoice 0103 (1).pdf", "2009-09-02T09:12")
    share.copy(f"{early}/Invoice 0103.pdf", f"{early}/Invoice 0103 (2).pdf", "2009-09-02T09:13")
    share.copy(f"{early}/Invoice 0105.pdf", "Finance/Purchase ledger/2009-10/Invoice 0105.pdf")
    index = [["number", "supplier", "net"], ["0101", "Catering supplier A", "707.40"]]
    share.add(f"{top}/Summary.xlsx", "2011-04-08T12:00", xlsx({"Invoices": index}))
    share.add(
        "Finance/Purchase ledger/SUMMARY.xlsx", "2010-04-09T12:00", xlsx({"Ledger": index[:1]})
    )


def budgets(share: Share) -> None:
    """Add budgets from 1998 on, in formats which no longer open and ones which do."""
    top = "Finance/Budgets"
    lines = [("Pay", 812000.0), ("Fuel", 41250.5), ("Rent", 96000.0)]
    share.add(f"{top}/BUDGET99.WK1", "1999-03-29T16:05", raw(lotus(lines)))
    codes = [("A10", "Heating"), ("A11", "Repairs"), ("B02", "Escort transport")]
    table = dbase([("CODE", 6), ("NAME", 24)], codes)
    share.add(f"{top}/CODES98.DBF", "1998-03-31T11:30", raw(table))
    for label, when, pay in (
        ("v1", "2013-01-14T09:30", 900),
        ("v2", "2013-02-05T10:30", 915),
        ("FINAL", "2013-03-01T11:30", 921),
    ):
        rows = [["Line", "£000"], ["Pay", pay], ["Escorts", 310]]
        share.add(f"{top}/budget 2013 {label}.xlsx", when, xlsx({"Budget": rows}))
    rows = [["Line", "£000"], ["Pay", 1188], ["Escorts", 402]]
    share.add(f"{top}/budget.xlsx", "2026-07-15T15:20", xlsx({"Budget": rows}))
    share.add(f"{top}/~$budget.xlsx", "2026-07-15T15:01", raw(owner_file("Finance officer 3")))
    share.add(
        f"{top}/budget.bak", "2012-02-02T18:00", raw("budget 2012, saved by the old tool\r\n")
    )
    cut = [["Line", "£000", "Cut"], ["Pay", 880, "50%"]]
    share.add(f"{top}/Budget 50% cut #2.xlsx", "2015-07-22T10:45", xlsx({"Options": cut}))


def contracts(share: Share) -> None:
    """Add contracts, marked."""
    top = "Finance/Contracts"
    commercial = "OFFICIAL-SENSITIVE: COMMERCIAL"
    share.add(
        f"{top}/Escort services contract.docx",
        "2016-03-31T17:55",
        docx("Escort services contract", prose("escort services", 8), marking=commercial),
    )
    share.add(
        f"{top}/Escort services contract - variation 03.docx",
        "2017-09-12T09:20",
        docx("Variation 03", prose("the escort variation"), marking=commercial),
    )
    share.add(
        f"{top}/Catering contract 2011-2014 signed.pdf",
        "2011-01-31T16:40",
        pdf("Catering contract", prose("prison catering", 7), marking="RESTRICTED - COMMERCIAL"),
    )
    prices = [["Item", "Unit price"], ["Meal, adult", 2.1], ["Meal, court custody", 3.35]]
    share.add(f"{top}/Schedule A prices.xlsx", "2011-01-28T13:00", xlsx({"Prices": prices}))
    share.add(
        f"{top}/OFFICIAL-SENSITIVE Tender evaluation.xlsx",
        "2015-11-20T18:10",
        xlsx({"Scores": [["Bidder", "Score"], ["Bidder A", 71]]}, marking=commercial),
    )


def payroll(share: Share) -> None:
    """Add pay records with made-up National Insurance numbers, one of them locked."""
    top = "Finance/Payroll"
    rows = [["role", "ni_number", "gross"], ["Case officer 12", "QQ 12 34 56 C", "2140.50"]]
    rows.append(["Case officer 14", "QQ 65 43 21 A", "2198.00"])
    share.add(f"{top}/Payroll extract 2016-04.csv", "2016-04-27T09:10", raw(table_text(rows)))
    share.add(f"{top}/Payroll 2016 locked.xlsx", "2016-04-28T15:00", raw(fixture("locked.xlsx")))
    text = ["Case officer 12 (National Insurance number QQ 12 34 56 C) was overpaid in May."]
    share.add(
        f"{top}/Overpayment query.docx",
        "2016-06-13T10:50",
        docx("Overpayment query", text, marking="RESTRICTED - STAFF"),
    )


def exports(share: Share) -> None:
    """Add files whose names a spreadsheet would take for formulas."""
    top = "Finance/Exports"
    for name, when in (
        ("=SUM(A1).txt", "2017-01-09T10:00"),
        ("+441234.csv", "2017-01-09T10:01"),
        ("@lookup.txt", "2017-01-09T10:02"),
        ("-2+3.txt", "2017-01-09T10:03"),
    ):
        share.add(f"{top}/{name}", when, raw(f"Ledger export named {name}\r\n"))


def recruitment(share: Share) -> None:
    """Add a recruitment campaign."""
    top = "Human Resources/Recruitment"
    history = ["Applicant 0417", "Usher, county court, 2004 to 2009", "Telephone 01632 960417"]
    share.add(f"{top}/CV - applicant 0417.docx", "2010-02-15T20:11", docx("Curriculum", history))
    other = ["Applicant 0418", "Prison officer, 2001 to 2010", "National Insurance QQ 22 33 44 B"]
    share.add(f"{top}/CV - applicant 0418.pdf", "2010-02-16T22:02", pdf("Curriculum", other))
    share.add(
        f"{top}/Interview notes.docx",
        "2010-03-09T17:30",
        docx("Interview notes", prose("the interviews"), marking="RESTRICTED - STAFF"),
    )
    duties = ["Keeps the case list", "Answers the public counter", "Grade: executive officer"]
    for label, when in (("", "2009-11-02T10:00"), (" v2", "2009-12-01T11:00")):
        name = f"{top}/Job description case officer{label}.docx"
        share.add(name, when, docx(f"Job description{label}", duties))


def staff_files(share: Share) -> None:
    """Add files about members of staff, marked in name or header."""
    top = "Human Resources/Staff files"
    for number, when in ((12, "2012-10-01T09:00"), (14, "2013-05-14T10:00")):
        text = [f"Case officer {number}", f"National Insurance number QQ 12 34 {number} D"]
        share.add(
            f"{top}/RESTRICTED - STAFF Case officer {number}.docx",
            when,
            docx("Staff record", text + prose(f"leave record {number}", 2), "RESTRICTED - STAFF"),
        )
    share.add(f"{top}/Night staffing memo.doc", "2003-02-03T16:20", raw(fixture("memo-2003.doc")))
    leave = [["Role", "Days"], ["Case officer 12", 4], ["Case officer 14", 11]]
    share.add(
        f"{top}/Sickness absence 2013.xlsx",
        "2014-01-06T12:12",
        xlsx({"Days lost": leave}, marking="OFFICIAL-SENSITIVE: STAFF"),
    )
    share.add(f"{top}/Organisation chart.gif", "2006-06-30T11:00", picture("organisation", "GIF"))


def training(share: Share) -> None:
    """Add training and welfare files, some in Welsh."""
    top = "Human Resources"
    share.add(
        f"{top}/Training/Induction slides.pptx",
        "2015-01-12T08:45",
        pptx("Induction", ["Where the courts are", "Marking a document", "Lone working"]),
    )
    welsh = "T\N{LATIN SMALL LETTER Y WITH CIRCUMFLEX}'r Llys"
    text = ["Cynhelir yr hyfforddiant yn Gymraeg ac yn Saesneg.", "Bydd cinio ar gael."]
    share.add(
        f"{top}/Training/{welsh} {DASH} rhaglen hyfforddi.docx",
        "2017-03-01T10:00",
        docx(f"{welsh}: rhaglen hyfforddi", text),
    )
    share.add(
        f"{top}/Training/Polisi iaith Gymraeg.pdf",
        "2016-03-30T13:30",
        pdf("Polisi iaith Gymraeg", ["Mae croeso i chi ohebu yn Gymraeg."]),
    )
    share.add(f"{top}/Training/Attendance sheet.txt", "2015-01-12T17:30", raw(b""))
    share.add(f"{top}/Wellbeing/{CAFE_NFC}", "2018-02-05T08:30", raw("Soup\r\nJacket potato\r\n"))
    for number in (1, 2):
        photo = f"{top}/Wellbeing/Away day {number}.jpg"
        share.add(photo, f"2018-06-15T1{number}:20", picture(f"away {number}", "JPEG"))
