"""What the platform does, without any HTTP in it."""
