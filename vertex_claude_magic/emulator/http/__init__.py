"""The HTTP side of the emulator: requests, delivery, faults."""
