# Generated from nexusai/aio/resources/__init__.py by scripts/unasync.py: edit that file.

"""The resources of the API, one module each, with a function for each method."""
