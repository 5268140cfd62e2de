"""Fetched beside the rows that come: holes that were given up, what fell between two runs; what the plant has."""
