"""Room: the records manager's desk.

rows.py         what stands in a workbook's rows, made the same way on the way out and back in
workbook.py     a workbook written: sheets, columns, drop-downs, cover
export.py       one workbook for each business unit
importing.py    a returned workbook read, checked row by row, its decisions recorded
"""
