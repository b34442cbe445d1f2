"""`nexusai doctor`: what is wrong, and what to do."""

from __future__ import annotations

import os
import platform as machine
import shutil
import time
from importlib import metadata
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Tuple

import typer

from nexusai.__version__ import __version__
from nexusai._internal._bodies import checked_key
from nexusai.cli import platform, running, showing
from nexusai.cli.words import say
from nexusai.client import NexusAIClient
from nexusai.config import config
from nexusai.error import APIError, APITimeoutError, AuthenticationError, NetworkError

_LEAST_FREE = 2_000_000_000
_MARKS = {"ok": ("✓", "green"), "note": ("!", "yellow"), "wrong": ("✗", "red")}


class Finding(NamedTuple):
    """One thing that was looked at."""

    what: str
    state: str
    """`ok`, `note` or `wrong`."""
    found: str
    advice: str = ""


def mount(app: typer.Typer) -> None:
    """Add the command."""
    running.command(app, "doctor", "检查密钥、地址、延迟、版本、模型与磁盘，并给出建议。")(doctor)


def doctor(as_json: bool = showing.AS_JSON) -> None:
    """Look at key, address, latency, versions, models and disk: what is wrong, and what to do."""
    findings = [finding for what, check in _CHECKS for finding in _looked(what, check)]
    if as_json:
        showing.as_json([finding._asdict() for finding in findings])
    else:
        _print(findings)
    if any(finding.state == "wrong" for finding in findings):
        raise typer.Exit(running.FAILURE)


def _print(findings: List[Finding]) -> None:
    for finding in findings:
        mark, colour = _MARKS[finding.state]
        showing.out.print(mark, end=" ", style=colour)
        showing.out.print(finding.what, end=": ", style="bold")
        showing.out.print(finding.found)
        if finding.advice:
            showing.out.print(f"  → {finding.advice}")
    wrong = sum(finding.state == "wrong" for finding in findings)
    good = say("Everything works.", "一切正常。")
    showing.out.print(say(f"{wrong} thing(s) to mend.", f"有 {wrong} 处需要处理。") if wrong else good)


def _looked(what: str, check: Check) -> List[Finding]:
    """What a check found; that it could not look is something found, too."""
    try:
        return check(what)
    except (APIError, ValueError, OSError) as error:
        return [Finding(what, "wrong", str(error))]


def _versions(what: str) -> List[Finding]:
    found = [f"nexusai {__version__}", f"Python {machine.python_version()}"]
    for name in ("httpx", "pydantic", "pyreqwest"):
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return [Finding(what, "ok", ", ".join(found))]


def _key(what: str) -> List[Finding]:
    key = config.api_key
    if key is not None:
        checked_key(key)
        place = "NEXUS_API_KEY" if os.environ.get("NEXUS_API_KEY") == key else ".env"
        return [Finding(what, "ok", say(f"from {place}", f"来自 {place}"))]
    if _runs_here():
        return [Finding(what, "ok", say("that of the platform on this machine", "使用本机平台的密钥"))]
    advice = say(
        "Set NEXUS_API_KEY, or put it into .env, or start the local platform: nexusai serve",
        "设置 NEXUS_API_KEY，或写入 .env，或启动本地平台：nexusai serve",
    )
    return [Finding(what, "wrong", say("there is none", "未找到"), advice)]


def _runs_here() -> bool:
    try:
        return running.platform_of_this_machine() is not None
    except ValueError:  # of the address, which is looked at below
        return False


def _proxies(what: str) -> List[Finding]:
    names = [
        name
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        if os.environ.get(name) or os.environ.get(name.lower())
    ]
    if not names:
        return []
    advice = say("Not used for this machine itself.", "访问本机时不使用。")
    return [Finding(what, "note", ", ".join(names), advice)]


def _local(what: str) -> List[Finding]:
    problem = platform.missing()
    if problem is not None:
        return [Finding(what, "note", problem)]
    data, models = platform.directories()
    return [
        Finding(what, "ok", say("installed", "已安装")),
        _directory(say("Data directory", "数据目录"), data),
        _directory(say("Models directory", "模型目录"), models),
    ]


def _directory(what: str, path: Path) -> Finding:
    made = next(place for place in (path, *path.parents) if place.exists())
    free = shutil.disk_usage(made).free
    found = say(f"{path}, {showing.size(free)} free", f"{path}，剩余 {showing.size(free)}")
    if free >= _LEAST_FREE:
        return Finding(what, "ok", found)
    return Finding(what, "wrong", found, say("Models need 0.1 to 2 GB each.", "每个模型需要 0.1 到 2 GB。"))


def _platform(what: str) -> List[Finding]:
    try:
        client = running.connect()
    except AuthenticationError:  # it is told already; whether anybody answers can be seen without a key
        client = NexusAIClient("none", running.address())
    with client.with_options(max_retries=0, timeout=5) as hasty:
        reached = _reached(what, hasty)
        models = _models(hasty) if reached.state == "ok" else []
    return [reached, *models]


def _reached(what: str, client: NexusAIClient) -> Finding:
    address = running.address()
    try:
        client.warmup()
        began = time.perf_counter()
        client.warmup()
        taken = (time.perf_counter() - began) * 1000
    except (NetworkError, APITimeoutError) as error:
        start = say("Start it: nexusai serve", "启动平台：nexusai serve")
        other = say("Check NEXUS_BASE_URL, the network and the proxy.", "请检查 NEXUS_BASE_URL、网络与代理。")
        return Finding(what, "wrong", error.message, other if running.is_elsewhere() else start)
    return Finding(
        what, "ok", say(f"{address} answers in {taken:.0f} ms", f"{address} 响应用时 {taken:.0f} 毫秒")
    )


def _models(client: NexusAIClient) -> List[Finding]:
    what = say("Models", "模型")
    try:
        models = client.models.list()
    except APIError as error:
        advice = (
            say("The key is not this platform's.", "密钥不属于此平台。") if error.status_code == 401 else ""
        )
        return [Finding(what, "wrong", str(error), advice)]
    kinds: Dict[str, List[str]] = {}
    for model in models:
        for kind in model.task_types or ["?"]:
            kinds.setdefault(kind, []).append(model.id)
    if "text_generation" not in kinds:
        advice = "nexusai models pull qwen2.5-coder-1.5b"
        return [Finding(what, "note", say("none that writes text", "没有文本模型"), advice)]
    return [Finding(f"{what}, {kind}", "ok", ", ".join(names)) for kind, names in kinds.items()]


Check = Callable[[str], List[Finding]]
_CHECKS: List[Tuple[str, Check]] = [
    (say("Versions", "版本"), _versions),
    (say("API key", "API 密钥"), _key),
    (say("Proxy", "代理"), _proxies),
    (say("Local platform", "本地平台"), _local),
    (say("Address", "地址"), _platform),
]
