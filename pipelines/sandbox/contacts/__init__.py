"""Contacts and the lists that they are on."""
