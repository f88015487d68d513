"""What is to be run: the job, how it is asked for, and what it needs."""
