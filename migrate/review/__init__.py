"""Room: the records manager's desk.

columns.py      the sheets, their columns, the values in cells
desk.py         what there is to decide: lines, the items beneath them, groups of copies
rows.py         the rows of the sheets, made the same way on the way out and back in
cover.py        the first sheet; totals.py its sums
workbook.py     a workbook written; links.py the links in it
export.py       the workbooks of each business unit, split where they get too long
returned.py     a returned workbook read
current.py      what the estate says now of its rows
recording.py    what its decisions cover, and what contradicts what stands
importing.py    all of that in order; refused.py the rows that were refused
"""
