"""Events, Plans and Reports as text. Nothing in here reads the world or asks a model."""
