"""What routes of trading share: what there is, as objects; what is asked for, as rows; and what becomes of it."""
