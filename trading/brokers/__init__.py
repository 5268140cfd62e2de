"""Brokers: orders leave the plant here, and what a broker says of them comes in."""
