"""Functions that the model may call: what is sent of them, how they run, and what goes back."""
