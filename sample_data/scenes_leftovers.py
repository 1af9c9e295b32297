"""Reference, IT, Everyone, Private and Backup 2011: what gathers on a shared drive."""

from __future__ import annotations

import unicodedata

from documents import docx, pdf, picture, prose, raw, xlsx
from fixtures import fixture
from oldformats import (
    certificate_store,
    finder_file,
    folder_settings,
    html,
    music,
    program,
    shortcut,
    sound,
)
from scenes_corporate import CAFE_NFC
from share import Share


def fill(share: Share) -> None:
    """Add every file of these folders; the copies come last."""
    reference(share)
    installers(share)
    system_files(share)
    everyone(share)
    odd_names(share)
    camera_roll(share)
    private(share)
    backup(share)


def reference(share: Share) -> None:
    """Add publications, the directorate's own."""
    for name, when in (
        ("Guide for court users", "2007-04-02T10:00"),
        ("Guide for prison visitors", "2008-04-01T10:00"),
        ("Juror handbook", "2011-09-05T10:00"),
        ("Statistical bulletin 2014", "2015-01-29T09:30"),
    ):
        share.add(f"Reference/Publications/{name}.pdf", when, pdf(name, prose(name.lower(), 5)))
    page = html("Links", "<p>Court addresses</p>")
    share.add("Reference/Links.html", "2006-02-14T10:00", raw(page))
    link = "[InternetShortcut]\r\nURL=https://www.example.org/\r\n"
    share.add("Reference/Statute law.url", "2006-02-14T10:05", raw(link))
    share.add("Reference/_vti_cnf/Links.html", "2006-02-14T10:01", raw("vti_encoding:SR|utf8\r\n"))
    share.copy(
        "Reference/Publications/Juror handbook.pdf",
        "Courts/Correspondence/Juror handbook.pdf",
        "2012-01-11T13:05",
    )


def installers(share: Share) -> None:
    """Add programs and what goes with them; none of them does anything."""
    for name, when in (
        ("setup.exe", "2004-07-01T12:00"),
        ("reader_install.exe", "2009-05-06T12:00"),
    ):
        share.add(f"IT/Installers/{name}", when, raw(program(name)))
    share.add("IT/Installers/StatuteViewer.msi", "2005-03-03T12:00", raw(fixture("viewer.msi")))
    share.copy("IT/Installers/setup.exe", "Everyone/setup (1).exe", "2010-10-10T10:10")
    rows = [["System", "User", "Password"], ["Listing", "list01", "Sunflower-1998"]]
    share.add("IT/passwords.xlsx", "2011-02-07T09:40", xlsx({"Logins": rows}))
    share.add("IT/Certificates/webmail.pfx", "2014-08-04T10:00", raw(certificate_store()))
    config = "<?xml version='1.0'?>\n<config><server name='court01'/></config>\n"
    share.add("IT/config.xml", "2010-06-21T14:00", raw(config))
    share.add("IT/config.xml.old", "2009-06-21T14:00", raw(config.replace("01", "00")))
    share.add("IT/map drives.bat", "2003-01-06T08:00", raw("net use s: \\\\server\\dept\r\n"))
    query = "select court, count(*) from hearing group by court;\n"
    share.add("IT/hearings.sql", "2016-03-03T15:00", raw(query))


def system_files(share: Share) -> None:
    """Add logs and the files which systems leave behind."""
    for year in (2009, 2010):
        line = f"{year}-06-30 02:00 backup complete\r\n"
        share.add(f"IT/Logs/backup{year}.log", f"{year}-06-30T02:00", raw(line * 40))
    share.add("IT/Logs/~WRL0004.tmp", "2008-07-01T09:00", raw(bytes(512)))
    settings = "[.ShellClassInfo]\r\nIconIndex=3\r\n"
    share.add("Governance/desktop.ini", "2010-01-05T09:00", raw(settings))
    share.add("Everyone/desktop.ini", "2010-01-05T09:02", raw(settings))
    share.add("Everyone/.DS_Store", "2016-09-12T10:00", raw(folder_settings()))
    share.add("Everyone/._report.docx", "2016-09-12T10:01", raw(finder_file()))
    share.add("Everyone/report.docx", "2016-09-12T10:01", docx("Report", prose("the away day", 2)))
    share.add("Everyone/Shortcut to S.lnk", "2007-11-12T08:59", raw(shortcut()))


def everyone(share: Share) -> None:
    """Add what people put where everyone can see it."""
    nfd = unicodedata.normalize("NFD", CAFE_NFC)
    share.add(f"Everyone/Canteen/{nfd}", "2019-02-05T08:30", raw("Soup\r\nFish pie\r\n"))
    share.add("Everyone/Music/Track 01.mp3", "2006-12-20T13:00", raw(music("Track 01")))
    share.add("Everyone/Music/Ringtone.wav", "2005-05-05T13:00", raw(sound()))
    share.copy("Everyone/Music/Track 01.mp3", "Everyone/Music/Track 01 (1).mp3")
    share.add("Everyone/untitled.txt", "2012-04-16T09:00", raw(b""))
    share.add("Everyone/New Text Document.txt", "2012-04-17T09:00", raw(b""))
    share.add("Everyone/x.txt", "2012-04-18T09:01", raw("x"))
    share.add("Everyone/asdf.docx", "2012-04-19T09:00", raw(b""))
    share.add("Everyone/Car for sale.jpg", "2008-08-22T12:40", picture("car", "JPEG"))
    share.add(
        "Everyone/Office move plan.xlsx",
        "2026-09-03T10:30",
        xlsx({"Desks": [["Role", "Floor"], ["Case officer 12", 3]]}),
    )
    share.add(
        "Everyone/Fantasy football.xlsx", "2010-08-13T12:55", xlsx({"Table": [["Team", "Points"]]})
    )


def odd_names(share: Share) -> None:
    """Add names which need care wherever they are shown, moved or written out."""
    top = "Everyone/Odd names"
    for name, when in (
        ("a&b 'quoted'; {{7+7}}.txt", "2017-05-02T10:00"),
        (" leading space.txt", "2017-05-02T10:01"),
        (".hidden note.txt", "2017-05-02T10:02"),
        ("..two dots.txt", "2017-05-02T10:03"),
        ("100% [final] (really).txt", "2017-05-02T10:04"),
        ("no extension", "2017-05-02T10:05"),
        ("$HOME `id` $(id).txt", "2017-05-02T10:06"),
        ("Zero\u200bwidth.txt", "2017-05-02T10:08"),
    ):
        share.add(f"{top}/{name}", when, raw(f"Named {name!r}\r\n"))
    fake = pdf("Not a Word document", ["A PDF which someone renamed."])
    share.add(f"{top}/really a pdf.doc", "2017-05-03T10:00", fake)


def camera_roll(share: Share) -> None:
    """Add photographs, one of them in three places."""
    top = "Everyone/Camera roll"
    for number in range(412, 416):
        name = f"{top}/IMG_{number:04d}.JPG"
        share.add(name, f"2016-07-0{number - 410}T12:{number % 60:02d}", picture(name, "JPEG"))
    share.copy(f"{top}/IMG_0413.JPG", f"{top}/IMG_0413 (1).JPG")
    share.copy(f"{top}/IMG_0413.JPG", "Everyone/Leaving do.jpg", "2016-07-08T09:30")


def private(share: Share) -> None:
    """Add one person's old desktop, with a whole folder copied from elsewhere."""
    top = "Private/Old desktop"
    share.copy_folder("Governance/Board papers 2014", f"{top}/Board papers 2014")
    share.copy(
        "Human Resources/Recruitment/Job description case officer.docx",
        f"{top}/Job description case officer.docx",
    )
    share.copy(
        "Prisons/Healthcare/A1234BC - transfer note.docx",
        f"{top}/A1234BC - transfer note.docx",
        "2014-07-09T08:10",
    )
    share.add(f"{top}/Mortgage letter.docx", "2014-03-17T12:30", docx("Letter", ["Dear lender"]))
    share.add("Private/My CV.docx", "2015-09-21T19:45", docx("Curriculum", ["Case officer 14"]))
    share.add("Private/Holiday.jpg", "2014-08-25T15:00", picture("holiday", "JPEG"))
    share.add("Private/Downloads/download", "2015-10-01T12:00", raw("<html>404</html>"))
    share.copy(
        "Reference/Publications/Guide for court users.pdf",
        "Private/Downloads/Guide for court users (1).pdf",
        "2015-10-01T12:01",
    )


def backup(share: Share) -> None:
    """Add the backup someone made in 2011: files alike then and now, and two which changed."""
    top = "Backup 2011"
    share.copy_folder("Finance/Invoices/2009-10", f"{top}/Finance/Invoices/2009-10")
    for path in (
        "Finance/Budgets/BUDGET99.WK1",
        "Finance/Contracts/Catering contract 2011-2014 signed.pdf",
        "Courts/Correspondence/Counter hours.doc",
        "Courts/Correspondence/1998/LISTOFF.WPD",
        "Human Resources/Staff files/Night staffing memo.doc",
    ):
        share.copy(path, f"{top}/{path}")
    share.add(
        f"{top}/Governance/Board minutes 2010-12.docx",
        "2010-12-15T14:00",
        docx("Minutes of the board, 2010-12", prose("board item 2010-12", 5)),
    )
    early = docx("Healthcare needs assessment", prose("healthcare needs", 5), marking="RESTRICTED")
    share.add(f"{top}/Healthcare needs assessment.docx", "2010-06-01T10:00", early)
    share.copy(
        f"{top}/Healthcare needs assessment.docx",
        "Prisons/Healthcare/Healthcare needs assessment.docx",
        "2011-12-01T09:00",
    )
    share.add(f"{top}/backup.log", "2011-11-30T23:00", raw("412 files copied, 3 skipped\r\n"))
    share.add(f"{top}/dept.bak", "2011-11-30T22:58", raw(bytes(range(256)) * 4))
