# Generated from nexusai/aio/resources/batch.py by scripts/unasync.py: edit that file.

"""Batches: many calls, a few at a time, whose results are kept in their order."""

from __future__ import annotations

from concurrent.futures import Executor
from typing import (
    Any,
    Callable,
    Dict,
    Generic,
    Iterable,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Tuple,
    TypeVar,
)

from nexusai._internal._carried import Carried
from nexusai._internal._checkpoint import Checkpoint, Place, fingerprint
from nexusai._internal._client import InternalClient
from nexusai._internal._media import bound
from nexusai._internal._runtime import Outcome, each, in_thread

T = TypeVar("T")


class Call(NamedTuple):
    """A call to be made: the name of a method, and its arguments by name.

    `Call("text.generate", {"prompt": "Hi"})` stands for `client.text.generate(prompt="Hi")`.
    """

    method: str
    arguments: Mapping[str, Any] = {}


class BatchItem(Generic[T]):
    """What one call of a batch came to.

    Attributes:
        call: what was to be done.
        result: what came of it; None where it failed.
        error: why it failed; None where it did not.
        restored: whether the result was taken from the checkpoint, and nothing was called.
    """

    def __init__(self, call: Call, outcome: Outcome[T], *, restored: bool = False) -> None:
        self.call = call
        self.result: Optional[T] = outcome.result
        self.error: Optional[Exception] = outcome.error
        self.restored = restored

    def __repr__(self) -> str:
        came_to = repr(self.error) if self.error is not None else type(self.result).__name__
        return f"<BatchItem {self.call.method}: {came_to}>"


OnItem = Callable[[int, int], Any]
"""Told how many calls are done, and how many there are in all."""


class BatchResource:
    """`client.batch`."""

    def __init__(self, client: InternalClient) -> None:
        self._client = client

    def run(
        self,
        calls: Iterable[Tuple[str, Mapping[str, Any]]],
        *,
        concurrency: int = 8,
        on_progress: Optional[OnItem] = None,
        checkpoint: Optional[Place] = None,
        executor: Optional[Executor] = None,
    ) -> List[BatchItem[Any]]:
        """Make many calls, `concurrency` at a time; what they came to, in the calls' order.

            items = client.batch.run(
                [("text.generate", {"prompt": f"Translate: {line}"}) for line in lines],
                checkpoint="translations.jsonl",
            )
            for item in items:
                print(item.result.text if item.error is None else item.error)

        A call that fails does not disturb the others: its item holds the error. With a `checkpoint`,
        a file, each result is kept there as soon as it is there; running the same batch again makes
        only the calls that are missing or failed. `on_progress(done, total)` is told numbers.

        An `executor` makes the calls in place of this process: any that keeps to
        `concurrent.futures.Executor`, such as a `ProcessPoolExecutor`, or Dask's and Ray's. The calls,
        their results and the API key are pickled for it.

        Raises:
            ValueError: a name is no method of the client, the file is no checkpoint, or `concurrency` is less
                than 1.
        """
        if concurrency < 1:
            raise ValueError("concurrency: expected at least 1")
        batch = _Batch(self._client, [Call(*call) for call in calls], on_progress, checkpoint)
        make = batch.make if executor is None else _carrier(self._client, executor)
        try:
            each(make, batch.missing(), concurrency, batch.settle)
        finally:
            batch.close()
        return batch.items()


class _Batch:
    """A batch while it runs."""

    def __init__(
        self,
        client: InternalClient,
        calls: List[Call],
        on_progress: Optional[OnItem],
        checkpoint: Optional[Place],
    ) -> None:
        self._client = client
        self._calls = calls
        self._on_progress = on_progress
        self._checkpoint = None if checkpoint is None else Checkpoint(checkpoint)
        self._keys = [fingerprint(*call) for call in calls] if self._checkpoint else []
        self._items: Dict[int, BatchItem[Any]] = {}
        self._missing: List[int] = []
        for method in {call.method for call in calls}:
            _method(client, method)

    def missing(self) -> List[Call]:
        """The calls that have no result yet."""
        for index, call in enumerate(self._calls):
            kept = self._checkpoint.get(index, self._keys[index]) if self._checkpoint else None
            if kept is None:
                self._missing.append(index)
            else:
                self._items[index] = BatchItem(call, Outcome(bound(kept[0], self._client)), restored=True)
        return [self._calls[index] for index in self._missing]

    def make(self, call: Call) -> Any:
        """Make one call."""
        return _method(self._client, call.method)(**call.arguments)

    def settle(self, number: int, outcome: Outcome[Any]) -> None:
        """Keep what a call came to."""
        index = self._missing[number]
        bound(outcome.result, self._client)
        if self._checkpoint is not None and outcome.error is None:
            self._checkpoint.put(index, self._keys[index], outcome.result)
        self._items[index] = BatchItem(self._calls[index], outcome)
        if self._on_progress is not None:
            self._on_progress(len(self._items), len(self._calls))

    def items(self) -> List[BatchItem[Any]]:
        """All of them, in the calls' order."""
        return [self._items[index] for index in range(len(self._calls))]

    def close(self) -> None:
        """Close the checkpoint."""
        if self._checkpoint is not None:
            self._checkpoint.close()


def _method(client: InternalClient, name: str) -> Any:
    from nexusai.client import NexusAIClient

    found: Any = NexusAIClient._over(client)
    for part in name.split("."):
        found = None if part.startswith("_") else getattr(found, part, None)
    if not callable(found):
        raise ValueError(f"{name!r} is no method of the client: expected one like 'text.generate'")
    return found


def _carrier(client: InternalClient, executor: Executor) -> Callable[[Call], Any]:
    carried = Carried(client.options)

    def carry(call: Call) -> Any:
        def result() -> Any:
            return executor.submit(carried, call.method, call.arguments).result()

        return in_thread(result)

    return carry
