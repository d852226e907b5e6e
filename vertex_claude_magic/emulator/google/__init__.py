"""Google's side of the emulator: credentials, publisher models, failures of a set-up."""
