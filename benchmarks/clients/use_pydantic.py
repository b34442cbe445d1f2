"""What it costs to read vectors by `json` and a pydantic model: no SDK."""

# ruff: noqa: FA100 - pydantic reads annotations at run time

PACKAGE = "pydantic"
ENCODINGS = {"float": ""}


def decoder():
    import json
    from typing import List

    from pydantic import BaseModel

    class Row(BaseModel):
        object: str
        index: int
        embedding: List[float]

    class Answer(BaseModel):
        object: str
        data: List[Row]
        model: str
        usage: dict

    def decode(content):
        return [row.embedding for row in Answer(**json.loads(content)).data]

    return decode
