"""Turns files into text: plain text and code, Markdown, HTML, PDF, DOCX; one clear line else."""
