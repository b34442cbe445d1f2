"""How `nexusai[fast]` is used: as `nexusai`, over another transport."""

import use_nexusai
from use_nexusai import *  # noqa: F403


def connect(url, key=use_nexusai.KEY, **options):
    return use_nexusai.connect(url, key, transport="fast", **options)


def connect_async(url, key=use_nexusai.KEY, **options):
    return use_nexusai.connect_async(url, key, transport="fast", **options)
