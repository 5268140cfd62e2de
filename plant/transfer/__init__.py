"""Rows in and out: a reader of foreign files, import, export, replay into another plant."""
