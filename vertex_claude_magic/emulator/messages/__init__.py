"""The Messages API as the emulator plays it."""
