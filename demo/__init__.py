"""The studio as a service: JSON API, jobs that survive, pictures that are kept. `python -m demo --help`."""

import gc

# Its imports make some 100,000 objects that stay. At Python's own thresholds (700, 10, 10) the collector looks through
# them all several times: a sixth of the processor time of a start.
gc.set_threshold(50_000, 20, 50)
