"""Who does the work: the `Provider` port, and its adapters.

It imports nothing: the children that run local models pass through here.
"""
