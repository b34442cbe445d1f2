"""Many prompts, one a line, answered a few at a time; stopped or crashed, it goes on where it was.

    python batch_prompts.py prompts.txt answers.jsonl

writes a line for each prompt, in the prompts' order: {"prompt": …, "answer": …}, or "error" in place of
"answer". Until all are answered, what there is stands in answers.jsonl.checkpoint: after a crash, a power cut
or an error start the same command again, and only what is missing is asked for. What was on its way when the
program died is asked for a second time; its answer is kept once.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import nexusai
from nexusai.resources.batch import BatchItem


def main() -> int:
    arguments = read_arguments()
    checkpoint = arguments.answers.with_name(f"{arguments.answers.name}.checkpoint")
    try:
        prompts = [
            line for line in arguments.prompts.read_text(encoding="utf-8").splitlines() if line.strip()
        ]
        with open_client() as client:
            items = run(client, prompts, arguments, checkpoint)
        write(arguments.answers, items)
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on from here.", file=sys.stderr)
        return 130
    except (nexusai.APIError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    failed = sum(item.error is not None for item in items)
    print(f"{len(items) - failed} of {len(items)} prompts are answered in {arguments.answers}.")
    if failed:
        print(f"{failed} failed: the same command asks for these again.", file=sys.stderr)
        return 1
    checkpoint.unlink(missing_ok=True)
    return 0


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Many prompts, resumable.")
    parser.add_argument("prompts", type=Path, help="a text file with a prompt on each line")
    parser.add_argument("answers", type=Path, help="where the answers go, as JSON lines")
    parser.add_argument("--system", help="what the model is told before each prompt")
    parser.add_argument("--model", help="the model that answers (the platform's choice)")
    parser.add_argument("--max-tokens", type=int, default=400, help="the longest answer (400)")
    parser.add_argument("--concurrency", type=int, default=8, help="prompts at a time (8)")
    return parser.parse_args()


def open_client() -> nexusai.NexusAIClient:
    """The platform that the settings name, else the one on this machine, started if none runs."""
    return nexusai.NexusAIClient() if nexusai.config.api_key else nexusai.NexusAIClient.local()


def run(
    client: nexusai.NexusAIClient, prompts: list[str], arguments: argparse.Namespace, checkpoint: Path
) -> list[BatchItem]:
    calls = [("text.generate", call(prompt, arguments)) for prompt in prompts]
    return client.batch.run(calls, concurrency=arguments.concurrency, checkpoint=checkpoint, on_progress=tell)


def call(prompt: str, arguments: argparse.Namespace) -> dict[str, object]:
    """What makes a call the same as in the run before: change any of it, and it is made again."""
    messages = [{"role": "user", "content": prompt}]
    if arguments.system:
        messages.insert(0, {"role": "system", "content": arguments.system})
    return {"messages": messages, "model": arguments.model, "max_tokens": arguments.max_tokens}


def tell(done: int, total: int) -> None:
    print(f"\r{done} of {total}", end="" if done < total else "\n", file=sys.stderr, flush=True)


def write(path: Path, items: list[BatchItem]) -> None:
    """All at once: whoever reads the file never finds half of it."""
    whole = path.with_name(f"{path.name}.new")
    with whole.open("w", encoding="utf-8") as file:
        for item in items:
            prompt = item.call.arguments["messages"][-1]["content"]
            told = {"answer": item.result.text} if item.error is None else {"error": str(item.error)}
            file.write(json.dumps({"prompt": prompt, **told}, ensure_ascii=False) + "\n")
    whole.replace(path)


if __name__ == "__main__":
    sys.exit(main())
