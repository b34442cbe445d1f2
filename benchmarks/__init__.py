"""What the SDK and the platform cost, measured beside their peers: `python -m benchmarks`."""
