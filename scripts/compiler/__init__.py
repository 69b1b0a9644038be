"""Turns a folder of Markdown agents into a PocketFlow service."""
