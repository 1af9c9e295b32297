"""Rooms of the stage that looks inside files: archives, shortcuts, documents' text."""
