"""What is decided of the orders of an account with a broker, without sockets and clocks."""
