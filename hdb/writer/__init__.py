"""The hdb as writer: parts during the day, the store, closing days, housekeeping."""
