"""Every setting: its default, its bounds, and values derived from it.

What does not belong here: checks of texts (`checks`), loading (`load`), names that are not settings (`environment`),
and anything that opens files, connects, or imports the engine: `--help` and `status` load this module and must stay
fast.
"""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from pipelines.errors import SettingsError
from pipelines.settings import checks
from pipelines.settings.demo_account import served_account
from pipelines.text.urls import host_of, is_loopback

PREFIX = "TRACKLY_"
"""Prefix of settings' names in the environment and in .env."""

DEMO_MARKER = ".made-by-trackly-sync-demo"
"""The file that marks a data directory as a demo's."""

DOCUMENTED_BASE_URL = "https://app.tracklysms.com/api/v2"
_HUNDRED_YEARS = 36_500
"""In days; later times are not valid dates."""
_MOST_QUEUE_MB = 16_000_000
"""Close to the 2**32 pages that a file of SQLite may have."""


class Settings(BaseModel):
    """Everything that a user may set. Field descriptions are the documentation of each setting."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    api_key: SecretStr | None = Field(None, description="API key: trk_ and 32 letters or digits.")
    base_url: str = Field(DOCUMENTED_BASE_URL, description="Address of the API, version included.")
    allow_http: bool = Field(
        False, description="Whether the key may go to another machine over plain http; true or false."
    )
    data_dir: Path = Field(Path("data"), description="Warehouse, Parquet snapshots and ledger live here.")
    hash_phones: SecretStr | None = Field(
        None,
        description="Secret to hash phone numbers with, at least 16 characters; default: numbers are kept.",
    )
    drop_custom_fields: bool = Field(False, description="Whether contacts' custom fields are left out.")
    keep_messages: bool = Field(
        False,
        description="Whether messages of sends that are imported from then on are kept in the warehouse; "
        "on or off.",
    )
    history_dir: Path | None = Field(
        None, description="History files to push; default: history/ in the data dir."
    )
    follow_links: bool = Field(
        False, description="Whether links that lead out of the history folder are followed; on or off."
    )
    sql_sources: bool = Field(
        False,
        description="Whether runs that no person started (schedules, the sensor) take .sql files; on or off.",
    )
    sql_seconds: Annotated[float, Field(gt=0, le=86_400)] = Field(
        300.0, description="Longest time that the query of a .sql file may take."
    )
    concurrency: Annotated[int, Field(ge=1, le=64)] = Field(
        4, description="Most requests under way at the same time."
    )
    ledger_url: str | None = Field(
        None, description="URL of the ledger's database; default: SQLite (WAL) in the data dir."
    )
    timeout_seconds: Annotated[float, Field(gt=0, le=600)] = Field(
        30.0,
        description="Longest wait for a connection (at most 10 s), or for the next bytes of a reply. "
        "A revenue call takes at most twice as long in all.",
    )
    retry_seconds: Annotated[float, Field(ge=0, le=3600)] = Field(
        120.0,
        description="Longest total time spent retrying one request; also the longest time of one attempt, "
        "if it is more than the time-out.",
    )
    max_reply_mb: Annotated[int, Field(ge=1, le=4096)] = Field(
        64, description="Largest reply that is accepted, in megabytes, decompressed."
    )
    max_requests_per_second: Annotated[float, Field(ge=0, le=10_000)] = Field(
        0.0, description="Most requests per second; 0 for no limit."
    )
    pull_bad_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.05, description="Share of quarantined rows beyond which a pull publishes nothing."
    )
    pull_shrink_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5,
        description="Share of a dataset's rows that may disappear in one pull; beyond it --allow-shrink is needed.",
    )
    measure_pause_seconds: Annotated[float, Field(ge=0, le=3600)] = Field(
        1.0, description="Seconds between two audiences that pull --measure has the account count."
    )
    measure_most: Annotated[int, Field(ge=1, le=100_000)] = Field(
        200, description="Most audiences that one pull --measure has the account count."
    )
    keep_snapshots: Annotated[int, Field(ge=1, le=100_000)] = Field(
        5, description="Snapshots kept per dataset, for rollback; the published one is always kept."
    )
    keep_records_days: Annotated[float, Field(ge=0, le=_HUNDRED_YEARS)] = Field(
        90.0,
        description="Days that records of runs are kept (runs/, logs/, Dagster's); the newest of each activity is "
        "always kept. 0 keeps all.",
    )
    push_part: str | None = Field(
        None,
        description="Name of this machine's part of the input, if several machines share a ledger; "
        "default: the path of the data dir.",
    )
    push_synced_revenue: bool = Field(
        False, description="Whether to push recent revenue of offers that TUNE syncs to Trackly by itself."
    )
    push_canary_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.8, description="Share of a push's first small call that may be refused; beyond it the push stops."
    )
    settle_seconds: Annotated[float, Field(ge=0, le=86_400)] = Field(
        180.0,
        description="How old a call without an answer must be, from when it was sent, before its revenue can be "
        "called absent and sent again; if it is not set, also at least 4 time-outs, and 4 times the slowest call "
        "ever answered. Revenue that turns up later raises it in both cases.",
    )
    schedules: bool = Field(
        False, description="Whether Dagster's schedules and its sensor of new history are on; on or off."
    )
    ui_hosts: str | None = Field(
        None,
        description="Host names for the UI in addition to localhost, such as a proxy's; separated by commas.",
    )
    ui_password: SecretStr | None = Field(
        None, description="Password that the UI asks for (with any user name); required beyond loopback."
    )
    dagster_url: str | None = Field(
        None,
        description="Where Dagster keeps its records: postgresql+psycopg2://user:password@host/database; default: "
        "SQLite in dagster/ of the data dir.",
    )
    history_quiet_seconds: Annotated[float, Field(ge=0, le=86_400)] = Field(
        60.0, description="How long history files must not have changed before the sensor starts a push."
    )
    history_start: date = Field(
        date(2020, 1, 1), description="First day of the first month that can be imported as a month."
    )
    push_left_out_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="Share of rows left out beyond which a push exits with 3."
    )

    webhook_secret: SecretStr | None = Field(
        None,
        description="Secret that Trackly signs its events with; two with a comma between them while one replaces "
        "the other. Without it the receiver listens on loopback only.",
    )
    webhook_encoding: Literal["hex", "base64"] = Field(
        "hex",
        description="How an event's signature is written: hex or base64; see trackly-sync webhooks check.",
    )
    webhook_prefix: str = Field("", description="Text in front of an event's signature, such as sha256=.")
    webhook_keep_days: Annotated[float, Field(ge=0, le=_HUNDRED_YEARS)] = Field(
        90.0,
        description="Days that the raw bodies of events are kept; their fields stay. 0 keeps the bodies forever.",
    )
    webhook_queue_mb: Annotated[int, Field(ge=0, le=_MOST_QUEUE_MB)] = Field(
        0,
        description="Largest size of webhooks.db in megabytes, beyond which events are answered with 503; "
        "0: limited by the disk only. Not for PostgreSQL.",
    )

    account_timezone: str | None = Field(
        None,
        description="Time zone of the Trackly account, such as America/New_York, which the API does not give; "
        "without it, quiet hours of schedules that do not use local time are unknown. Holds from the next pull.",
    )
    price_per_segment: float | None = Field(
        None,
        ge=0,
        le=1_000,
        description="Price of one segment, in any currency, for the cost of planned sends; default: unknown. "
        "Holds from the next pull.",
    )

    currency: str | None = Field(
        None,
        description="Currency of the account, such as USD, which the API does not give; the report names it.",
    )

    log_format: Literal["text", "json"] = Field(
        "text", description="How logs are written to standard error: text, or json, one object on a line."
    )
    log_level: Literal["debug", "info", "warning", "error"] | None = Field(
        None, description="Least level that is logged; default: info for json, warning for text."
    )

    alert_webhook: SecretStr | None = Field(
        None,
        description="URL for alerts, which accepts JSON with a text, as Slack's incoming webhooks do.",
    )
    alert_stale_hours: Annotated[float, Field(gt=0, le=24 * _HUNDRED_YEARS)] = Field(
        24.0, description="Age of a published dataset, in hours, beyond which an alert is sent."
    )
    alert_rejected_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.01, description="Share of a history input that may be rejected before an alert is sent."
    )
    alert_silent_hours: Annotated[float, Field(gt=0, le=24 * _HUNDRED_YEARS)] = Field(
        3.0,
        description="Hours without an event, while contacts are sent to or the receiver is down, before an alert "
        "is sent.",
    )
    metrics_dir: Path | None = Field(
        None,
        description="Folder of node_exporter's textfile collector; metrics are written there after runs.",
    )

    _expand_home = field_validator("data_dir", "history_dir", "metrics_dir")(checks.folder)
    _strip_key = field_validator("api_key", mode="before")(checks.stripped)
    _check_key = field_validator("api_key")(checks.key)
    _check_secret = field_validator("hash_phones", mode="before")(checks.long_secret)
    _check_url = field_validator("base_url", mode="before")(checks.base_url)
    _check_webhook = field_validator("alert_webhook")(checks.webhook)
    _check_webhook_secret = field_validator("webhook_secret")(checks.one_or_two)
    _check_timezone = field_validator("account_timezone")(checks.time_zone)
    _check_currency = field_validator("currency")(checks.currency)
    _check_start = field_validator("history_start", mode="before")(checks.day)
    _check_rate = field_validator("max_requests_per_second")(checks.rate)
    _check_ledger_url = field_validator("ledger_url")(checks.ledger_url)
    _check_dagster_url = field_validator("dagster_url")(checks.dagster_url)
    _check_hosts = field_validator("ui_hosts")(checks.hosts)

    @model_validator(mode="after")
    def _check_encryption(self) -> Self:
        """Check that the key, and a webhook's address with its secret, leave this machine only encrypted."""
        webhook = self.alert_webhook.get_secret_value() if self.alert_webhook else ""
        for name, url in (("TRACKLY_BASE_URL", self.base_url), ("TRACKLY_ALERT_WEBHOOK", webhook)):
            is_plain = url.lower().startswith("http://") and host_of(url)
            if is_plain and not is_loopback(url) and not self.allow_http:
                raise PydanticCustomError(
                    "plain_http",
                    "{name} must begin with https://, since http:// sends secrets unencrypted; "
                    "TRACKLY_ALLOW_HTTP=true allows it",
                    {"name": name},
                )
        return self

    @field_validator("*", mode="before")
    @classmethod
    def _plain_number(cls, value: object, info: ValidationInfo) -> object:
        kind = cls.model_fields[info.field_name or ""].annotation
        is_number = kind in (int, float, float | None)
        return checks.number(value, whole=kind is int) if is_number else value

    @field_validator(
        "history_dir",
        "account_timezone",
        "price_per_segment",
        "currency",
        "ledger_url",
        "dagster_url",
        "push_part",
        "log_level",
        "alert_webhook",
        "metrics_dir",
        "ui_hosts",
        "ui_password",
        "webhook_secret",
        mode="before",
    )
    @classmethod
    def _empty_is_unset(cls, value: object, info: ValidationInfo) -> object:  # noqa: ARG003 - pydantic's signature
        return None if value == "" else value

    @property
    def warehouse(self) -> Path:
        """The DuckDB file that analysts open."""
        return self.data_dir / "warehouse.duckdb"

    @property
    def parquet_dir(self) -> Path:
        """One folder per dataset, one snapshot folder in each."""
        return self.data_dir / "parquet"

    @property
    def history(self) -> Path:
        """The folder that history files are read from when none is named."""
        return self.history_dir or self.data_dir / "history"

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """The names of `ui_hosts`, in small letters."""
        return frozenset(host.strip().lower() for host in (self.ui_hosts or "").split(",") if host.strip())

    @property
    def part(self) -> str:
        """Name of our part of the input; a ledger in the data directory has only one part, and moves with it."""
        if self.push_part is not None:
            return self.push_part
        return "" if self.ledger_url is None else str(self.data_dir.resolve())

    @property
    def ledger(self) -> str:
        """The SQLAlchemy URL of the ledger."""
        return self.ledger_url or f"sqlite:///{self.data_dir / 'ledger.db'}"

    @property
    def webhook_secrets(self) -> tuple[bytes, ...]:
        """The secrets that an event may be signed with."""
        given = self.webhook_secret.get_secret_value() if self.webhook_secret else ""
        return tuple(part.strip().encode() for part in given.split(",") if part.strip())

    @property
    def webhook_store(self) -> str:
        """The SQLAlchemy URL of the queue of events: the ledger's server, or a file in the data dir."""
        if self.ledger_url and not self.ledger_url.startswith("sqlite"):
            return self.ledger_url
        return f"sqlite:///{self.data_dir / 'webhooks.db'}"

    @property
    def request_seconds(self) -> float:
        """Longest time of one attempt at a request that may be repeated."""
        return max(self.retry_seconds, self.timeout_seconds)

    @property
    def revenue_seconds(self) -> float:
        """Longest time of a revenue call; after it, the call has an answer or its outcome is unknown."""
        return 2 * self.timeout_seconds

    @property
    def is_of_demo(self) -> bool:
        """Whether a demo has made the data directory; its account is served by `trackly-sync demo --ui` only."""
        return (self.data_dir / DEMO_MARKER).exists()

    def require_key(self) -> str:
        """Return the API key, or raise an error that says how to set it.

        Raises:
            SettingsError: no key is set.
        """
        if self.api_key is None and (served := served_account(self.data_dir)):
            raise SettingsError(
                f"TRACKLY_API_KEY is not set; the data is a demo's, whose account is served at {served[0]}.",
                f"In this terminal: export TRACKLY_BASE_URL={served[0]} TRACKLY_API_KEY={served[1]}",
            )
        if self.api_key is None and self.is_of_demo:
            raise SettingsError(
                "TRACKLY_API_KEY is not set, and the data is a demo's, whose account nobody serves now.",
                f"Run: trackly-sync demo --ui --data-dir {self.data_dir}",
            )
        if self.api_key is None:
            raise SettingsError(
                "TRACKLY_API_KEY is not set.",
                "Copy a key from the Trackly settings page into the environment or a .env file: "
                "TRACKLY_API_KEY=trk_...",
            )
        return self.api_key.get_secret_value()
