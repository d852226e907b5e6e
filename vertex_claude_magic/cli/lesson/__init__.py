"""`vertex-claude lesson`: a folder that students run without an account, also in the browser alone."""
