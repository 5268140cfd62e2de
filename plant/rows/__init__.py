"""What a row is: tables as declared, rows as columns, to and from what a user holds. No sockets, no files."""
