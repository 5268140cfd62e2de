"""Rows in and out: files as rows of a table, import, export, replay into another plant."""
