"""Prisons, Courts, Private Office and FOI."""

from __future__ import annotations

import io
import unicodedata
import zipfile

from documents import (
    Maker,
    docx,
    eml,
    pdf,
    picture,
    pptx,
    prose,
    raw,
    site_plan,
    table_text,
    xlsx,
    zipped,
)
from fixtures import fixture
from oldformats import calendar, html, rtf, wordperfect
from share import Share

HEALTH = "Prisons/Healthcare"
SENSITIVE = "OFFICIAL-SENSITIVE"
LONG_NAME = (
    "Report of the working group on escort, transfer and video link arrangements between "
    "establishments and Crown Court centres 2012 (final).docx"
)
DEEP_FOLDERS = "Estates/Projects/2008/North/Wing B/Phase 2/Drawings/Issued/Superseded"


def fill(share: Share) -> None:
    """Add every file of these folders."""
    healthcare(share)
    healthcare_oddments(share)
    healthcare_complaints(share)
    incidents(share)
    population(share)
    estates(share)
    site_plans(share)
    listing(share)
    fees(share)
    court_letters(share)
    languages(share)
    submissions(share)
    private_office_mail(share)
    requests(share)


def healthcare(share: Share) -> None:
    """Add the folder which an inquiry holds; some of its files are copied elsewhere too."""
    report = docx("Inspection report 2012", prose("prison healthcare", 9), marking="RESTRICTED")
    share.add(f"{HEALTH}/Inspection report 2012.docx", "2012-11-05T16:00", report)
    share.copy(
        f"{HEALTH}/Inspection report 2012.docx", f"{HEALTH}/Copy of Inspection report 2012.docx"
    )
    for label, when in (("draft v1", "2012-12-03T11:00"), ("draft v2", "2012-12-10T15:20")):
        text = [label, *prose("the response to the inspectorate", 5)]
        name = f"{HEALTH}/Response to inspectorate {label}.docx"
        share.add(name, when, docx("Response to inspectorate", text, marking="RESTRICTED"))
    share.add(
        f"{HEALTH}/Response to inspectorate.pdf",
        "2012-12-20T12:00",
        pdf("Response to inspectorate", prose("the response to the inspectorate", 6), "RESTRICTED"),
    )
    log = [["Date", "Wing", "Category"], ["2013-02-04", "B", "Medication"]]
    share.add(f"{HEALTH}/Clinical incident log.xlsx", "2013-12-18T09:00", xlsx({"2013": log}))
    text = ["Prison number A1234BC", "Moved to the inpatient unit; medication continued."]
    share.add(
        f"{HEALTH}/A1234BC - transfer note.docx",
        "2014-07-08T13:15",
        docx("Transfer note", text, marking=SENSITIVE),
    )
    share.add(
        f"{HEALTH}/Healthcare services contract.pdf",
        "2013-04-01T08:00",
        pdf("Healthcare services contract", prose("healthcare services", 8), marking=SENSITIVE),
    )


def healthcare_oddments(share: Share) -> None:
    """Add the mail and the system files of the held folder."""
    share.add(f"{HEALTH}/Thumbs.db", "2008-05-19T10:30", raw(fixture("thumbs.db")))
    share.add(f"{HEALTH}/Clinic rota.tmp", "2013-03-04T08:05", raw("rota, saved by itself\r\n"))
    attached = share.files[f"{HEALTH}/Clinical incident log.xlsx"].data
    mail = eml(
        "Healthcare manager",
        "Head of Operations",
        "Clinical incident log",
        "The log for the year is attached.\n",
        ("Clinical incident log.xlsx", attached),
    )
    share.add(f"{HEALTH}/RE Clinical incident log.eml", "2013-12-18T09:20", mail)


def healthcare_complaints(share: Share) -> None:
    """Add complaints, each about a made-up prisoner, in the held folder."""
    for number, prison_number in ((1, "A2345BD"), (2, "A3456CF"), (3, "A4567DG")):
        text = [f"Prison number {prison_number}", *prose(f"healthcare complaint {number}", 2)]
        share.add(
            f"{HEALTH}/Complaints/Complaint {number:03d}.docx",
            f"2015-0{number}-12T10:0{number}",
            docx(f"Complaint {number:03d}", text, marking=SENSITIVE),
        )
    rows = [["complaint", "prison_number", "outcome"], ["001", "A2345BD", "upheld"]]
    share.add(f"{HEALTH}/Complaints/Log.csv", "2015-05-01T09:00", raw(table_text(rows)))


def incidents(share: Share) -> None:
    """Add incident reports, one with a PNC-shaped number."""
    for year, count in ((2013, 3), (2016, 2)):
        for number in range(1, count + 1):
            text = [f"Wing {'ABCD'[number - 1]}", *prose(f"incident {year}/{number}", 2)]
            share.add(
                f"Prisons/Incidents/{year}/Incident {year}-{number:03d}.docx",
                f"{year}-0{number + 2}-1{number}T0{number + 5}:45",
                docx(f"Incident report {year}-{number:03d}", text, marking="RESTRICTED"),
            )
    text = ["Prison number A9876ZY", "PNC number 2004/1234567X", "Returned to custody."]
    share.add(
        "Prisons/Incidents/2016/Abscond A9876ZY.docx",
        "2016-08-30T23:10",
        docx("Abscond report", text, marking=SENSITIVE),
    )
    share.add(
        "Prisons/Incidents/2016/Duty log.log", "2016-12-31T23:59", raw("0600 roll correct\r\n")
    )
    share.add(
        "Prisons/Incidents/Review meeting.ics", "2017-01-16T10:00", meeting("Incident review")
    )


def meeting(title: str) -> Maker:
    """Return a maker of a diary entry."""
    return lambda when: calendar(title, when)


def population(share: Share) -> None:
    """Add weekly returns, and the workbook made from them."""
    top = "Prisons/Population"
    for day in ("16", "23", "30"):
        rows = [["establishment", "places", "held"]]
        rows += [[f"Prison {n}", 300 + n * 40, 280 + n * 40 + int(day)] for n in range(1, 6)]
        name = f"{top}/Weekly/Population 2015-01-{day}.csv"
        share.add(name, f"2015-01-{day}T18:00", raw(table_text(rows)))
    share.copy(
        f"{top}/Weekly/Population 2015-01-30.csv",
        f"{top}/Population latest.csv",
        "2015-02-02T08:01",
    )
    totals = [["Week", "Held"], ["2015-01-02", 2010], ["2015-01-09", 2045]]
    share.add(f"{top}/Population 2015.xlsx", "2015-12-31T12:00", xlsx({"Weeks": totals}))
    share.add(f"{top}/Population chart.png", "2015-12-31T12:30", picture("population", "PNG"))
    share.add(
        f"{top}/Projection 2016-2020.pptx",
        "2016-01-20T14:00",
        pptx("Projection", ["Low: 1,950", "Central: 2,120", "High: 2,260"]),
    )
    share.add(f"{top}/Notes.txt", "2016-01-20T14:05", raw("see chart"))


def estates(share: Share) -> None:
    """Add estates files, one ten folders down and one with a very long name."""
    share.add(
        f"Prisons/{DEEP_FOLDERS}/plan note.txt",
        "2008-09-30T15:00",
        raw("Revision C replaced by revision D, see the register.\r\n"),
    )
    share.add(
        f"Prisons/Escorts/{LONG_NAME}", "2012-07-03T12:00", docx("Report", prose("escorts", 8))
    )
    rows = [["Asset", "Condition"], ["Boiler 1", "Poor"], ["Boiler 2", "Fair"]]
    share.add("Prisons/Estates/Condition survey.xlsx", "2009-03-02T09:15", xlsx({"All": rows}))
    for number in (1, 2):
        photo = picture(f"roof {number}", "JPEG")
        share.add(f"Prisons/Estates/Photos/Roof {number}.jpg", f"2009-02-1{number}T11:00", photo)
    share.copy("Prisons/Estates/Photos/Roof 2.jpg", "Prisons/Estates/Photos/Roof 2 - Copy.jpg")
    share.add("Prisons/Estates/Photos/Thumbs.db", "2009-02-14T09:00", raw(fixture("thumbs.db")))
    share.add("Prisons/Estates/Gate.bmp", "2002-08-08T12:00", picture("gate", "BMP", (40, 30)))


def site_plans(share: Share) -> None:
    """Add a large scan, its duplicate, and a twin of the same size."""
    top = "Prisons/Estates"
    share.add(f"{top}/Site plan scan.tif", "2009-06-11T10:00", site_plan(False))
    share.copy(f"{top}/Site plan scan.tif", f"{top}/Old scans/Site plan scan.tif")
    share.add(f"{top}/Site plan scan (new store).tif", "2009-08-20T10:00", site_plan(True))


def listing(share: Share) -> None:
    """Add court lists, and a zip whose members also lie unpacked beside it."""
    top = "Courts/Listing"
    members: dict[str, bytes] = {}
    for month in ("01", "02", "03"):
        rows = [["court", "hearings"], ["Court 1", 40 + int(month)], ["Court 2", 55]]
        name = f"{top}/Listing statistics 2016/Listing 2016-{month}.csv"
        share.add(name, f"2016-{month}-28T17:00", raw(table_text(rows)))
        members[f"Listing 2016-{month}.csv"] = share.files[name].data
    share.add(f"{top}/Listing statistics 2016.zip", "2016-04-04T09:30", zipped(members))
    share.add(f"{top}/Witness schedule locked.zip", "2016-06-02T10:00", raw(fixture("locked.zip")))
    for number in (1, 2):
        text = [f"Court {number}", "10.00 plea hearings", "14.00 sentencing"]
        share.add(
            f"{top}/Daily lists/List court {number}.docx",
            f"2018-09-0{number + 2}T07:40",
            docx(f"Daily list, court {number}", text),
        )
    feed = "<?xml version='1.0' encoding='UTF-8'?>\n<lists><court id='1'/><court id='2'/></lists>\n"
    share.add(f"{top}/lists.xml", "2018-09-05T07:45", raw(feed))
    share.add(f"{top}/lists.old", "2017-09-05T07:45", raw(feed.replace(" id='2'", "")))
    share.add(f"{top}/Video link timetable.msg", "2010-11-02T09:40", raw(fixture("mail-2010.msg")))


def fees(share: Share) -> None:
    """Add fees files, and a web page saved with its folder of pictures."""
    top = "Courts/Fees"
    share.add(f"{top}/Fees order 2008.pdf", "2008-05-01T09:00", pdf("Fees order", prose("fees", 5)))
    page = html("Court fees", "<p><img src='Court fees_files/crest.gif'> Issue of a claim: £30</p>")
    share.add(f"{top}/Court fees.htm", "2005-04-04T10:00", raw(page))
    share.add(f"{top}/Court fees_files/crest.gif", "2005-04-04T10:00", picture("crest", "GIF"))
    share.add(f"{top}/Court fees_files/style.css", "2005-04-04T10:00", raw("p { color: navy }\n"))
    share.add(
        f"{top}/Remission table.xlsx",
        "2014-10-06T16:30",
        xlsx({"Bands": [["Income", "Fee"], [1085, 0], [1345, 20]]}),
    )


def court_letters(share: Share) -> None:
    """Add letters of the years before the present formats, and later mail."""
    top = "Courts/Correspondence"
    for name, when, text in (
        ("LISTOFF.WPD", "1998-10-19T11:20", "The court will sit at ten each day this term.\n"),
        ("JURYRM.WPD", "1998-11-30T15:05", "The jury room needs eight more chairs.\n"),
    ):
        share.add(f"{top}/1998/{name}", when, raw(wordperfect(text)))
    share.add(f"{top}/Counter hours.doc", "1999-05-14T10:05", raw(fixture("letter-1999.doc")))
    share.copy(f"{top}/Counter hours.doc", f"{top}/Copy of Counter hours.doc", "2001-01-15T09:00")
    letter = rtf("Car parking", ["Jurors may park behind the library."])
    share.add(f"{top}/Juror parking.rtf", "2001-03-20T09:30", raw(letter))
    for number, subject in ((1, "Interpreter fees"), (2, "RE Interpreter fees")):
        mail = eml("Listing officer", "Head of Courts", subject, f"Note {number} on the fees.\n")
        share.add(f"{top}/{subject}.eml", f"2019-02-0{number + 3}T13:0{number}", mail)
    share.copy(f"{top}/Interpreter fees.eml", f"{top}/Interpreter fees (1).eml")


def languages(share: Share) -> None:
    """Add files named in other scripts."""
    top = "Courts/Translations"
    arabic = "\u062f\u0644\u064a\u0644 \u0627\u0644\u0645\u062d\u0643\u0645\u0629"
    chinese = "\u6cd5\u5ead\u6307\u5357"
    share.add(f"{top}/{arabic}.docx", "2013-06-04T10:00", docx(arabic, [arabic]))
    share.add(f"{top}/{chinese}.txt", "2013-06-05T10:00", raw(chinese + "\r\n"))
    share.add(f"{top}/Court rota \U0001f4c5.txt", "2020-04-06T09:00", raw("By video only\r\n"))
    name = unicodedata.normalize("NFD", "R\u00e9sum\u00e9 des d\u00e9bats.txt")
    share.add(f"{top}/{name}", "2011-10-10T10:00", raw("Notes de l'audience\r\n"))


def submissions(share: Share) -> None:
    """Add submissions to the Minister, in versions."""
    top = "Private Office/Ministerial submissions/2016"
    name = "Sub 2016-014 Prison healthcare funding"
    for label, when in ((" draft", "2016-05-04T19:05"), (" v2 tracked", "2016-05-06T08:15")):
        text = [f"Version{label}", *prose("prison healthcare funding", 6)]
        share.add(f"{top}/{name}{label}.docx", when, docx(name, text, marking=SENSITIVE))
    text = prose("prison healthcare funding", 7)
    share.add(f"{top}/{name}.docx", "2016-05-09T16:00", docx(name, text, marking=SENSITIVE))
    share.add(f"{top}/{name}.pdf", "2016-05-09T16:02", pdf(name, text, marking=SENSITIVE))
    for number, topic in ((15, "Court closures"), (16, "Bail hostels")):
        title = f"Sub 2016-{number:03d} {topic}"
        maker = docx(title, prose(topic.lower(), 6), marking=SENSITIVE)
        share.add(f"{top}/{title}.docx", f"2016-0{number - 9}-14T17:30", maker)
    share.copy(
        f"{HEALTH}/Inspection report 2012.docx", f"{top}/Annex A Inspection report 2012.docx"
    )
    share.copy(f"{HEALTH}/Response to inspectorate.pdf", f"{top}/Annex B Response.pdf")


def private_office_mail(share: Share) -> None:
    """Add briefing, questions and mail of the private office."""
    top = "Private Office"
    share.add(
        f"{top}/Briefing/Visit to north court centre.docx",
        "2022-11-02T18:40",
        docx("Visit briefing", prose("the north court centre", 4)),
    )
    share.add(f"{top}/Briefing/Visit.ics", "2022-11-08T09:30", meeting("Visit"))
    for number in (101, 102):
        text = [f"Question {number}", "Draft answer: the figures are published each quarter."]
        share.add(
            f"{top}/Parliamentary questions/PQ {number} answer.docx",
            f"2023-0{number - 98}-20T11:30",
            docx(f"PQ {number}", text),
        )
    share.copy(
        f"{top}/Parliamentary questions/PQ 102 answer.docx",
        f"{top}/Parliamentary questions/PQ 102 answer (1).docx",
        "2023-04-21T08:00",
    )
    mail = eml("Private secretary", "Head of Courts", "Diary", "The visit moves to ten o'clock.\n")
    share.add(f"{top}/Briefing/FW Diary.eml", "2022-11-07T17:50", mail)


def requests(share: Share) -> None:
    """Add requests for information, with one answer which only opens with a password."""
    for number, topic in ((12, "agency nurses"), (31, "courtroom recording")):
        top = f"FOI/FOI 2015-{number:04d}"
        day = f"2015-0{number // 10 + 2}-1"
        mail = eml(
            "Requester", "FOI mailbox", f"Request {number}", f"Please send figures on {topic}.\n"
        )
        share.add(f"{top}/Request.eml", f"{day}0T08:00", mail)
        share.add(f"{top}/Response draft.docx", f"{day}8T10:00", docx("Response", prose(topic, 2)))
        share.add(f"{top}/Response.pdf", f"{day}9T15:00", pdf("Response", prose(topic, 3)))
    locked = pdf("Withheld material", prose("agency nurses", 5), password="exempt-s40")
    share.add("FOI/FOI 2015-0012/Withheld material locked.pdf", "2015-03-19T15:30", locked)
    share.copy(
        f"{HEALTH}/Clinical incident log.xlsx", "FOI/FOI 2015-0012/Clinical incident log.xlsx"
    )
    rows = [["Number", "Subject"], ["2015-0012", "Agency nurses"]]
    share.add("FOI/FOI log 2015.xlsx", "2016-01-05T09:00", xlsx({"2015": rows}))
    open_bundle = unpacked(share.files["Courts/Listing/Listing statistics 2016.zip"].data)
    share.add("FOI/Disclosure/Listing 2016-02.csv", "2016-07-01T10:00", raw(open_bundle))


def unpacked(data: bytes) -> bytes:
    """Return the second member of a zip, as someone unpacked it elsewhere."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read(archive.namelist()[1])
