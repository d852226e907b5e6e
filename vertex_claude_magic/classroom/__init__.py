"""What failed in a cell, and the question about it."""
