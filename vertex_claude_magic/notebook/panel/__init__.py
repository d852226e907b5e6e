"""The panel: choose a model by looking; the rooms behind `%claude_panel`."""
