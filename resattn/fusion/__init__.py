"""Pansharpening by arithmetic: sensors, registration, classical methods, adaptation."""
