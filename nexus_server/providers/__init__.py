"""Who does the work: the `Provider` port, and its adapters."""
