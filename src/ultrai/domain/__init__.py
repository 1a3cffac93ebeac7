"""The nouns of UltrAI: frozen values, standard library only, no behaviour beyond their own truth."""
