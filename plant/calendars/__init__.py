"""When exchanges trade: sessions, openings and closes, early ones too, zones, pre- and post-market; whose symbols."""
