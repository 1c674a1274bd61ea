"""Fitting networks within a time budget: the loop, its resumable state, and the parts that ship. Knows no domain."""
