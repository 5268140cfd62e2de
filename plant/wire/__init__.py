"""Bytes, pure: envelope, payload, record, runs of records, and the messages of every socket."""
