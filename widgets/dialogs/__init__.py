"""Dialogs: settings, keys, about."""
