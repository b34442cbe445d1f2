"""`nexusai demo`: a short tour on this machine."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Callable, Tuple, Union

import typer

from nexusai.aio.client import AsyncNexusAIClient
from nexusai.cli import platform, running, showing
from nexusai.client import NexusAIClient
from nexusai.error import APIError
from nexusai.resources.audio import TTSResponse
from nexusai.resources.images import Image

_console = showing.out


def demo() -> None:
    """Take a short tour: text in every way, a document, a picture and a voice, in English and Chinese."""
    problem = platform.missing()
    if problem is not None:
        typer.echo(problem, err=True)
        raise typer.Exit(2)
    _title("Nexus AI on this machine", "在本机运行 Nexus AI")
    _say("A model that also speaks Chinese (1.1 GB, fetched once) · 会说中文的模型，只需下载一次")
    _fetch_model()
    _say("Starting the local platform · 正在启动本地平台 …")
    try:
        _tour()
    except APIError as error:
        running.fail(f"The demo stopped: {error}", running.FAILURE)


def _fetch_model() -> None:
    try:
        platform.pull_recommended()
    except typer.Exit as end:
        if end.exit_code == 130:  # Ctrl-C
            raise
        _say("Going on with the smallest model, which speaks English only · 改用最小的模型，仅支持英文")


def _tour() -> None:
    started = time.monotonic()
    with NexusAIClient.local() as client:
        models = ", ".join(model.id for model in client.models.list())
        _say(f"Ready after {time.monotonic() - started:.1f} s, with {models}")
        _say("The first answer takes longer: the model is loaded for it · 首次回答需要加载模型")
        for step in _STEPS:
            _timed(partial(step, client))
    _goodbye()


def _at_once(client: NexusAIClient) -> str:
    _step(
        "At once",
        "同步",
        'answer = client.text.generate("Name the four seasons.", max_tokens=60)\nprint(answer.text)',
    )
    answer = client.text.generate("Name the four seasons.", max_tokens=60, temperature=0)
    _show(answer.text)
    tokens = answer.usage.completion_tokens if answer.usage else 0
    return f"{tokens} tokens by {answer.model}"


def _in_chinese(client: NexusAIClient) -> str:
    _step(
        "In Chinese, with messages",
        "用中文，多条消息",
        'client.text.generate(messages=[{"role": "system", "content": "你是一位翻译。"}, …])',
    )
    answer = client.text.generate(
        messages=[
            {"role": "system", "content": "你是一位翻译，只回答译文。"},
            {"role": "user", "content": "把这句话翻译成中文：The early bird catches the worm."},
        ],
        max_tokens=60,
        temperature=0,
    )
    _show(answer.text)
    return f"finished because: {answer.finish_reason}"


def _as_a_task(client: NexusAIClient) -> str:
    _step(
        "As a task: it goes on while you do something else",
        "作为任务：提交后立即返回",
        'task = client.text.generate_async("Write one sentence about the sea.")\n…\nprint(task.wait().text)',
    )
    task = client.text.generate_async("Write one sentence about the sea.", max_tokens=60, temperature=0)
    _say(f"{task.task_id} is {task.status}")
    _show(task.wait().text)
    return f"the task is {task.status}"


def _as_a_stream(client: NexusAIClient) -> str:
    _step(
        "As a stream, word by word",
        "流式输出",
        'for text in client.text.stream("用一句话解释什么是数据库。").text_deltas:\n    print(text, end="")',
    )
    stream = client.text.stream("用一句话解释什么是数据库。", max_tokens=80, temperature=0)
    first: Tuple[float, ...] = ()
    started = time.monotonic()
    for text in stream.text_deltas:
        first = first or (time.monotonic() - started,)
        _console.print(text, end="", style="green")
    _console.print()
    return f"the first piece came after {first[0]:.1f} s" if first else "nothing came"


def _awaited(_: NexusAIClient) -> str:
    _step(
        "Awaited, two at a time",
        "异步，同时两个请求",
        "async with await AsyncNexusAIClient.local() as client:\n"
        "    await asyncio.gather(client.text.generate(…), client.text.generate(…))",
    )
    asyncio.run(_two_at_a_time())
    return "both answered"


async def _two_at_a_time() -> None:
    async with await AsyncNexusAIClient.local() as client:  # finds the one that runs
        prompts = ("Say good morning in French.", "用中文说晚安。")
        calls = (client.text.generate(prompt, max_tokens=30, temperature=0) for prompt in prompts)
        for answer in await asyncio.gather(*calls):
            _show(answer.text)


def _from_a_document(client: NexusAIClient) -> str:
    _step(
        "A question to your own document, with its source",
        "就自己的文档提问，答案带出处",
        'base = client.knowledge_bases.create("手册")\n'
        'client.knowledge_bases.upload_document(base.kb_id, "退款.md", wait=True)\n'
        'client.knowledge_bases.ask("退款多久到账？", base.kb_id)',
    )
    base = client.knowledge_bases.create("手册")
    try:
        client.knowledge_bases.upload_document(base.kb_id, ("退款.md", _DOCUMENT.encode()), wait=True)
        answer = client.knowledge_bases.ask("退款多久到账？", base.kb_id, max_tokens=60, temperature=0)
    finally:
        client.knowledge_bases.delete(base.kb_id)
    _show(answer.text)
    sources = ", ".join(f"{each.metadata['filename']} {each.similarity_score:.2f}" for each in answer.sources)
    return f"found in {sources}"


def _a_picture(client: NexusAIClient) -> str:
    _step(
        "A picture, by the illustrator that is built in (no diffusion model)",
        "内置插画师作画（不是扩散模型）",
        'client.images.generate("两只猫在海边，日落，有棕榈树", aspect_ratio="16:9").save("cats.png")',
    )
    image = client.images.generate("两只猫在海边，日落，有棕榈树", aspect_ratio="16:9")
    _show(f"{_keep('cats.png', image)}  {image.revised_prompt}")
    return f"{image.width} × {image.height}"


def _a_voice(client: NexusAIClient) -> str:
    _step(
        "A voice; Chinese ones come with `nexusai models pull kokoro-82m`",
        "朗读；中文声音需先下载 kokoro-82m",
        'client.audio.synthesize("Good morning from Nexus AI.", voice="heart").save("morning.wav")',
    )
    spoken = client.audio.synthesize("Good morning from Nexus AI.", voice="heart", format="wav")
    _show(str(_keep("morning.wav", spoken)))
    return f"{spoken.duration:.1f} s of speech" if spoken.duration else "spoken"


def _keep(name: str, made: Union[Image, TTSResponse]) -> Path:
    """Save it where whoever runs the demo finds it."""
    folder = Path("nexus-demo")
    folder.mkdir(exist_ok=True)
    return made.save(folder / name)


_DOCUMENT = """# 退款说明

收到退货后，我们会在七个工作日内把款项退回原支付账户。

# 运费

订单满九十九元免运费，不满则收取十元。
"""
_STEPS = (
    _at_once,
    _in_chinese,
    _as_a_task,
    _as_a_stream,
    _awaited,
    _from_a_document,
    _a_picture,
    _a_voice,
)


def _timed(step: Callable[[], str]) -> None:
    started = time.monotonic()
    result = step()
    _say(f"({result}, {time.monotonic() - started:.1f} s)")


def _goodbye() -> None:
    _title("How to go on", "接下来")
    command = _own_name()
    _console.print(
        f"Start the platform · 启动平台        {command} serve\n"
        f"See its models · 查看模型            {command} models list\n"
        "In your own code · 在代码中使用\n"
        "    import nexusai\n"
        "    with nexusai.NexusAIClient.local() as client:\n"
        '        print(client.text.generate("你好").text)\n'
        "Read on · 继续阅读                   README.md, README.zh-CN.md"
    )


def _own_name() -> str:
    """How this command is called from here: in an environment that is not active, by its path."""
    if shutil.which("nexusai"):
        return "nexusai"
    path = Path(sys.executable).with_name("nexusai")
    with suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)


def _title(english: str, chinese: str) -> None:
    _console.print(f"\n{english} · {chinese}", style="bold cyan")


def _step(english: str, chinese: str, code: str) -> None:
    _title(english, chinese)
    for line in code.splitlines():
        _console.print(f"  >>> {line}" if not line.startswith(" ") else f"  ... {line}", style="dim")


def _say(text: str) -> None:
    _console.print(text, style="dim")


def _show(text: str) -> None:
    _console.print(text.strip(), style="green")
