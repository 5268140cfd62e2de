"""The plant that this one follows: its records as turns, from its sockets or from the stream of its journal."""
