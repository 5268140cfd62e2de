"""Any exchange that CCXT knows: its client in a thread, what it gives as rows."""
