"""Each AI system, the one person who answers for it, and its R, A, C and I roles."""
