"""Answers on a socket: server, waiting, delivery, query log, reports; the follower that the rdb is made of."""
