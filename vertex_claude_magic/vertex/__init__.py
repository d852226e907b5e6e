"""Requests, replies and the events of a stream as Vertex AI has them: nothing is sent here."""
