"""Every knob of the platform, in one place.

Each can be given as a keyword, as `NEXUS_SERVER_<NAME>` in the environment, or in
`<data_dir>/config.toml`, in that order of precedence.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from platformdirs import user_cache_path, user_data_path
from pydantic import BaseModel, Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)


class UpstreamSettings(BaseModel):
    """An OpenAI-compatible provider."""

    name: str
    base_url: str
    api_key: SecretStr = SecretStr("none")
    models: dict[str, str] = Field(default_factory=dict)
    """The names callers use → the provider's own names. Empty: whatever it lists itself."""
    task_types: dict[str, list[str]] = Field(default_factory=dict)
    """What a model is for, by the name callers use: text_generation, image_generation, speech_to_text,
    text_to_speech, embeddings. Left out: guessed from its name, else text_generation."""
    timeout: float = 600.0
    """Seconds of silence after which the provider is given up."""
    max_retries: int = Field(default=2, ge=0)
    """Further attempts, before the first word of an answer, when it is busy or out of reach."""


class ServerSettings(BaseSettings):
    """Where the platform listens, where it keeps its data, and what it may use."""

    model_config = SettingsConfigDict(
        env_prefix="NEXUS_SERVER_", extra="forbid", use_attribute_docstrings=True
    )

    host: str = "127.0.0.1"
    """The address to listen on: this machine only."""
    port: int = Field(default=8000, ge=0, le=65535)
    """0 takes any free port."""
    data_dir: Path = Field(default_factory=lambda: user_data_path("nexusai"))
    """The database, the first API key, and nothing that cannot be backed up by copying it."""

    models_dir: Path = Field(default_factory=lambda: user_cache_path("nexusai") / "models")
    """Where local models are kept; a file put there by hand under its catalogue name is used."""
    local: bool = True
    """Offer the models of this machine, where `nexus-ai-sdk[local]` is installed."""
    auto_pull: bool = True
    """Fetch the smallest model at start when there is none at all."""
    context_length: int = Field(default=4096, ge=256)
    """Tokens that a local model's context holds."""
    slots: int = Field(default=1, ge=1)
    """Generations that a local model runs at the same time."""
    threads: int | None = None
    """Threads of a local model; as many as there are cores when left out."""

    upstreams: list[UpstreamSettings] = Field(default_factory=list)
    """OpenAI-compatible providers: name, base_url, api_key, models, task_types, timeout, max_retries."""
    default_provider: str | None = None
    """The provider for who names none; the first that can, if left out."""
    default_model: str | None = None
    """The model for who names none; the provider's first, if left out."""

    worker_concurrency: int = Field(default=16, ge=1)
    """Tasks that run at the same time in this process."""
    sync_wait: float = Field(default=300.0, gt=0)
    """Seconds that an `/invoke` without `Prefer` is held before it is answered 202."""
    heartbeat: float = Field(default=15.0, gt=0)
    """Seconds of silence on a stream after which a comment line is sent."""
    stream_grace: float = Field(default=10.0, ge=0)
    """Seconds that a stream whose reader can take it up again (`Prefer: resumable`) goes on without one."""
    shutdown_grace: float = Field(default=5.0, gt=0)
    """Seconds that open streams and running tasks get to end after SIGTERM."""
    max_body_bytes: int = Field(default=32 * 1024 * 1024, gt=0)
    """A longer request body is answered 413."""
    max_file_bytes: int = Field(default=2 * 1024**3, gt=0)
    """A larger upload is answered 413."""
    rate_limit: int | None = Field(default=None, ge=1)
    """Requests that each API key may make in a minute; no limit when left out."""
    public_url: str | None = None
    """The origin under which others reach the platform, such as `https://ai.example.com`: webhooks tell
    the addresses of files below it. Left out: they tell paths."""
    webhook_allow_private: bool = False
    """Deliver webhooks to this machine and its networks too: loopback, private and link-local addresses."""
    webhook_secret: SecretStr | None = None
    """Signs webhooks: `whsec_` and 24 to 64 bytes in base64; the file `webhook_secret` in the data directory
    if left out, which is made at the first start."""
    webhook_timeout: float = Field(default=15.0, gt=0)
    """Seconds in which a webhook's receiver has to answer."""
    webhook_retry_scale: float = Field(default=1.0, gt=0)
    """Multiplies the pauses between the attempts at a webhook: 5 s, 5 min, 30 min, 2 h, up to a day."""
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    """debug, info, warning or error."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Keywords, then the environment, then `config.toml` in the data directory."""
        given: dict[str, Any] = {**env_settings(), **init_settings()}
        data_dir = Path(given.get("data_dir") or user_data_path("nexusai"))
        file = TomlConfigSettingsSource(settings_cls, data_dir / "config.toml")
        return init_settings, env_settings, file
