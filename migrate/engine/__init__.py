"""Room: the two things a stage asks for: `query` (relations) and `workers` (a function, spread)."""
