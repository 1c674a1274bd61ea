"""The worker: claims jobs, runs them, stores what they gave."""
