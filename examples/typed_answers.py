"""An answer as an instance of your own class. Run it with `python examples/typed_answers.py`."""

from opening import open_client
from pydantic import BaseModel

import nexusai


class City(BaseModel):
    name: str
    country: str


def main() -> None:
    with open_client() as client:
        try:
            city = client.text.parse("Where is the Eiffel Tower?", City, max_tokens=60, temperature=0)
            print(city.name, "in", city.country)
        except nexusai.InvalidResponseError as error:
            print(f"The model is too small for that: {error}")


if __name__ == "__main__":
    main()
