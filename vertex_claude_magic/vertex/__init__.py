"""The Vertex AI floor: requests, hosts, credentials, transport, events and replies; nothing of notebooks."""
