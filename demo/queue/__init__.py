"""Jobs that wait: leases, fair order, events, the wake signal. Knows no HTTP and no model."""
