"""The models that run on this machine: which there are, where they are kept, how they are fetched.

`catalogue` is data, `storage` is the directory they live in, `fetch` brings them there. Nothing
here runs a model; `nexus_server.providers.local` does.
"""
