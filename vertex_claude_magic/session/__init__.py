"""What asks: the session of one user, a question until it is settled, and many calls at once."""
