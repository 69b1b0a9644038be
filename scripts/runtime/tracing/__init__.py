"""Spans of OpenTelemetry, with the names of its GenAI conventions; nothing until configured."""
