"""What is shown of scored records: tables for people and for other programs."""
