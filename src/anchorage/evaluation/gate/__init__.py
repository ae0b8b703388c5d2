"""The quality gate: a golden set of questions, asked before a change is accepted."""
