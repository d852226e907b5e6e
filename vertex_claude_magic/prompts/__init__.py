"""What is sent: templates, the parts of a prompt, and the check for secrets."""
