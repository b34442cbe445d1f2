"""The Nexus AI platform on your own machine: the API of `contract/api-v1.md`, served locally."""
