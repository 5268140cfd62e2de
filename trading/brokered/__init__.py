"""Accounts with brokers as the plant keeps them: orders out of the journal, a broker's word as rows in it."""
