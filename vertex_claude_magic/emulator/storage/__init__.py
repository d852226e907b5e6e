"""Cloud Storage as batch prediction needs it."""
