"""Rows, files and settings: database, tables, migrations, storage. Knows no HTTP and no model."""
