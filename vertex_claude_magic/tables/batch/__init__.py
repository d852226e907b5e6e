"""A prompt over a table as Vertex batch prediction."""
