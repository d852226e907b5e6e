"""A recording: answers in a file that is shipped beside a notebook."""
