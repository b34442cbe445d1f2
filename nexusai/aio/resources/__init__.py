"""The resources of the API, one module each, with a function for each method."""
