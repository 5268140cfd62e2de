"""What plant.toml says of the archive of closed days: [archive] (archive/, docs/archive.md).

Keys never stand here: those of an S3 store come from the environment, as AWS's tools have them (AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION).
"""

import re
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from plant.history.warehouse import S3, Warehouse

_BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^/?#]+)*")


class ArchiveSettings(BaseModel):
    """[archive]"""

    model_config = ConfigDict(extra="forbid", frozen=True)

    warehouse: str = Field(
        "", description='where closed days are copied to: "s3://bucket/prefix", or a folder; empty: nowhere'
    )
    endpoint: str = Field("", description='of an S3 store that is not AWS\'s: "http://127.0.0.1:8333"')
    catalog: str = Field(
        "",
        description="Iceberg's catalogue: a SQL database (SQLAlchemy), or REST (http); empty: SQLite, in the data",
    )
    catalog_options: dict[str, str] = Field({}, description='more of pyiceberg\'s, e.g. {warehouse = "s3://bucket"}')
    namespace: str = Field(
        "tickplant", pattern=r"^[a-z][a-z0-9_]*$", description="of the tables there; those of replaced rows: _replaced"
    )
    read: bool = Field(False, description="whether the hdb answers from the archive about days that only it has")
    keep_days: float = Field(
        0.0, ge=0, description="days that only the archive has, ended so long ago, are let go of; 0: keep everything"
    )

    snapshots_days: float = Field(
        0.0, ge=0, description="ends of day before the last so many days cannot be looked back at; 0: all can"
    )

    @field_validator("warehouse")
    @classmethod
    def _a_bucket_or_a_folder(cls, value: str) -> str:
        value = value.rstrip("/") if value != "/" else value
        if "://" in value and not _BUCKET.fullmatch(value):
            raise ValueError('expected "s3://bucket/prefix", in letters that a bucket may have, or a folder')
        return value

    @field_validator("endpoint")
    @classmethod
    def _an_address(cls, value: str) -> str:
        address = urlsplit(value)
        if value and (address.scheme not in ("http", "https") or not address.hostname or address.path.strip("/")):
            raise ValueError('expected an address that begins with http:// or https://, like "http://127.0.0.1:8333"')
        return value.rstrip("/")

    @field_validator("catalog")
    @classmethod
    def _sql_or_rest(cls, value: str) -> str:
        if value and "://" not in value:
            raise ValueError(
                'expected a catalogue\'s URI: "sqlite:///catalog.db", "postgresql+psycopg2://...", "http://..."'
            )
        return value

    @model_validator(mode="after")
    def _what_belongs_to_a_warehouse(self) -> Self:
        if not self.warehouse and (named := [k for k in ("endpoint", "catalog", "read") if getattr(self, k)]):
            raise ValueError(f"{named[0]} is of an archive, and there is none: set warehouse")
        if self.endpoint and not self.warehouse.startswith(S3):
            raise ValueError("endpoint is of an s3:// warehouse; found a folder")
        return self

    @property
    def place(self) -> Warehouse | None:
        """Where the archive lies, None for nowhere; a relative folder has been resolved by `load`."""
        return Warehouse(self.warehouse, self.endpoint) if self.warehouse else None
