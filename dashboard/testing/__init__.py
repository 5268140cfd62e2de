"""The page Testing: backtests given, followed, and compared."""
