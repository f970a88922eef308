"""What a study consists of: its checked config, its cases and their splits."""
