"""Batch prediction: jobs that answer the rows of files or tables."""
