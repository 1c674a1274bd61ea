"""The studio as a service: JSON API, jobs that survive, pictures that are kept. `python -m demo --help`."""
