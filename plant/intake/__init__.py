"""What a user holds, in any form, as the columns of a table: each form by its straight way, and what cannot be read."""
