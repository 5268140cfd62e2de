"""Databento: its client on one connection, DBN records as rows, the replay of what was missed."""
