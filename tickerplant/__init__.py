"""The tickerplant: gives every batch a sequence number, writes it to the journal, then fans it out."""
