"""Room: what a department's rules say of every entry.

conditions.py  the fields and modifiers of the rule language
values.py      what may stand on the right of a condition
language.py    conditions under all, any and not
written.py     rules as they stand in their files
parameters.py  values in rules that departments may change
rules.py       rules and holds ready to run in an estate
catalogue.py   the rules there are, for people who look them up
reference.py   the language described, and its JSON Schema
examples.py    every rule tried on its own examples
stage.py       all rules over all facts: findings
"""
