"""The studio as a service: JSON API, jobs that survive, pictures that are kept. `python -m demo --help`."""

import gc

# Imports make some 150,000 objects that stay. At Python's own thresholds (700, 10, 10) the collector looks through them
# all several times: a sixth of the processor time of a start. A process that goes on sets `demo.ops.processes.COLLECT`.
gc.set_threshold(500_000, 10, 10)
