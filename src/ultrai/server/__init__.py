"""The HTTP surface: OpenAI's wire format and the native interface. It parses and renders only."""
