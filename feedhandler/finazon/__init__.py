"""Finazon: the feed, its history, its messages, its settings."""
