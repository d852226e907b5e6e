"""Conversations: turns that belong to their cells, and what of them is sent."""
