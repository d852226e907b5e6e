"""What is kept of questions and answers: journal, recordings, budget and usage."""
