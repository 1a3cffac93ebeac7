"""Speaks HTTP with an upstream: OpenRouter, or any other server with OpenAI's format."""
