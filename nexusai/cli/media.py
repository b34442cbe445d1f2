"""`nexusai image`, `nexusai speak` and `nexusai transcribe`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional

import typer

from nexusai.cli import running, showing
from nexusai.cli.words import say
from nexusai.models import TranscriptionResponse, TranscriptSegment

_MODEL = typer.Option(
    None,
    "--model",
    "-m",
    help=say("The model; the platform's choice if left out.", "模型；省略时由平台选择。"),
)
_FORMATS = ("text", "srt", "json")


def mount(app: typer.Typer) -> None:
    """Add these commands."""
    running.command(app, "image", "生成图像。")(image)
    running.command(app, "speak", "朗读文本。")(speak)
    running.command(app, "transcribe", "把录音转写为文字。")(transcribe)


def image(
    prompt: Optional[List[str]] = typer.Argument(None, help=say("What to show.", "画面内容。")),
    output: Optional[Path] = showing.OUTPUT_OR_FOLDER,
    size: Optional[str] = typer.Option(None, help=say("Such as 1024x1024.", "例如 1024x1024。")),
    ratio: Optional[str] = typer.Option(None, help=say("Such as 16:9.", "例如 16:9。")),
    model: Optional[str] = _MODEL,
    as_json: bool = showing.AS_JSON,
) -> None:
    """Draw a picture, and save it."""
    asked = showing.read_input(prompt, say("what to show", "画面内容"))
    shape: Dict[str, Any] = {"size": size} if size else {}
    if ratio:
        shape["aspect_ratio"] = ratio
    with running.connect() as client, showing.task_bar(say("Drawing", "绘制中")) as show:
        made = client.images.generate(asked, model=model, on_progress=show, **shape)
        path = made.save(_target(output, "image.png"))
    _report(made, path, as_json=as_json)


def speak(
    text: Optional[List[str]] = typer.Argument(
        None, help=say("The text; or piped in.", "文本；也可从管道输入。")
    ),
    output: Optional[Path] = showing.OUTPUT_OR_FOLDER,
    voice: Optional[str] = typer.Option(None, help=say("Whose voice.", "音色。")),
    speed: Optional[float] = typer.Option(None, help=say("1 is usual.", "1 为正常语速。")),
    audio_format: Optional[str] = typer.Option(None, "--format", help="wav, mp3, flac, opus …"),
    model: Optional[str] = _MODEL,
    as_json: bool = showing.AS_JSON,
) -> None:
    """Read a text aloud, and save the recording."""
    asked = showing.read_input(text, say("a text", "文本"))
    target = _target(output, f"speech.{audio_format or 'wav'}")
    kind = audio_format or target.suffix.lstrip(".") or None
    with running.connect() as client, showing.task_bar(say("Speaking", "朗读中")) as show:
        made = client.audio.synthesize(
            asked, voice=voice, speed=speed, format=kind, model=model, on_progress=show
        )
        path = made.save(target)
    _report(made, path, as_json=as_json)


def transcribe(
    recording: Path = typer.Argument(
        ..., exists=True, dir_okay=False, help=say("An audio or video file.", "音频或视频文件。")
    ),
    language: Optional[str] = typer.Option(
        None, help=say("Such as zh; found out if left out.", "例如 zh；省略时自动识别。")
    ),
    output: Optional[Path] = showing.OUTPUT,
    text_format: str = typer.Option("text", "--format", help=", ".join(_FORMATS)),
    model: Optional[str] = _MODEL,
    as_json: bool = showing.AS_JSON,
) -> None:
    """Write down what is said in a recording."""
    kind = "json" if as_json else text_format
    if kind not in _FORMATS:
        raise ValueError(f"--format: {', '.join(_FORMATS)}")
    with running.connect() as client, showing.task_bar(say("Listening", "转写中")) as show:
        heard = client.audio.transcribe(recording, language=language, model=model, on_progress=show)
    if kind == "json" and output is None:
        showing.as_json(heard)
        return
    text = {"text": heard.text + "\n", "srt": _subtitles(heard), "json": heard.model_dump_json() + "\n"}[kind]
    if output is not None:
        showing.write(output, text)
    else:
        showing.line(text.rstrip("\n"))


def _target(output: Optional[Path], name: str) -> Path:
    """Where to save: what was asked for, else a name that is free here."""
    if output is not None:
        return output
    plain = Path(name)
    names = (plain.with_name(f"{plain.stem}-{number}{plain.suffix}") for number in range(2, 100_000))
    return plain if not plain.exists() else next(path for path in names if not path.exists())


def _report(made: Any, path: Path, *, as_json: bool) -> None:
    if as_json:
        showing.as_json({**made.model_dump(mode="json", exclude_none=True), "path": str(path)})
    else:
        note = getattr(made, "revised_prompt", None)
        if note:
            showing.err.print(note, style="dim")
        showing.line(str(path))


def _subtitles(heard: TranscriptionResponse) -> str:
    whole = TranscriptSegment(start=0.0, end=heard.duration or 0.0, text=heard.text)
    return "\n".join(
        f"{number}\n{_moment(part.start)} --> {_moment(part.end)}\n{part.text.strip()}\n"
        for number, part in enumerate(heard.segments or [whole], 1)
    )


def _moment(seconds: float) -> str:
    thousandths = round(seconds * 1000)
    hours, rest = divmod(thousandths, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02},{rest % 1000:03}"
