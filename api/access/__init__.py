"""Who may do what: keys, quotas, tickets, hosts and origins, and the audit of all that."""
