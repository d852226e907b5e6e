"""Where the panel's model is chosen: rows, filters, a chart, and two models beside each other."""
