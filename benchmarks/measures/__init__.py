"""What is measured, one idea a module."""
