"""Pure folds: what rows that carry whole objects mean together; without sockets, files and clocks."""
