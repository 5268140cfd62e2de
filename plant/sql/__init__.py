"""SQL over tables, by DuckDB, in processes of its own that can be bounded and ended."""
