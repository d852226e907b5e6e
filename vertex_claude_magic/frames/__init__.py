"""Tables in and out: any data frame to columns, rows and text, and data to a data frame."""
