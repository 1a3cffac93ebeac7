"""The nouns of UltrAI: frozen values, standard library only, no behaviour but their own truth."""
