"""Simulated fluoroscopy and angiography runs with exact truth."""
