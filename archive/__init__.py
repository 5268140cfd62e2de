"""The archive: closed days of the history in object storage, as tables of Iceberg's (docs/archive.md)."""
