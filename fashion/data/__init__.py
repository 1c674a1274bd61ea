"""Data sets that others made, read into the same imagefolder rows as the drawn domain's own."""
