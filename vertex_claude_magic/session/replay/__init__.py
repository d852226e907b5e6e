"""Answers that came before: how they are kept, found again and played."""
