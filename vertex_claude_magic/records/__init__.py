"""What is stored of questions and answers: journal, recordings, budget and usage."""
