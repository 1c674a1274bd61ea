"""What the service can do, without HTTP: ask, show, search, publish, collect, delete, export."""
