"""A platform in memory: the contract's answers, one module for each resource."""
