"""HTTP to Vertex AI and Google credentials: connection, retry, sign-in, failures, administration."""
