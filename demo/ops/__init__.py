"""Command lines, serving and upkeep."""
