"""The hdb as reader: files as views, SQL over them, answers."""
