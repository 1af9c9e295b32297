"""Room: what people are told. figures.py: queries, one for each section; page.py: the HTML report;
status.py: where the estate stands; explain.py: one file's story."""
