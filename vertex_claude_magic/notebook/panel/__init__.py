"""The panel: choose a model by looking; the modules behind `%claude_panel`."""
