"""Room: what a department's rules say of every entry.

conditions.py  the fields and modifiers of the rule language
rules.py       rule files and holds, read and checked
examples.py    every rule tried on its own examples
stage.py       all rules over all facts: findings
"""
